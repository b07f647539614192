//! Records to bytes: fixed fields, little-endian, texts and bodies behind their sizes.
//!
//! Floor: imports `base`.

use bytes::{BufMut, BytesMut};

use crate::base::record::{
    AppendedPart, Binding, BoundTo, Change, Copies, DeadTo, Delivered, History, Holder, KeptBatch,
    Listed, Mark, PlaceState, Placed, QueueState, Record, Returned, Sent, SessionState, Settled,
    Stored, StreamState,
};
use crate::base::{Message, QueueOptions, Receipt};

/// A pattern is bound to a queue.
pub(super) const BOUND_TO_QUEUE: u8 = 1;

/// A pattern is bound to a stream.
pub(super) const BOUND_TO_STREAM: u8 = 2;

/// The kind of frame that a record makes.
pub fn kind(record: &Record) -> u8 {
    match record {
        Record::Opened { .. } => 1,
        Record::Closing => 2,
        Record::Closed => 3,
        Record::Queue { .. } => 4,
        Record::QueueGone { .. } => 5,
        Record::Purged { .. } => 6,
        Record::Sent { .. } => 7,
        Record::Delivered(_) => 8,
        Record::Settled { .. } => 9,
        Record::Returned(_) => 10,
        Record::Batch { streams, .. } if !streams.is_empty() => 40,
        Record::Batch { published, .. } if published.is_empty() => 11,
        Record::Batch { .. } => 23,
        Record::Moved(_) => 12,
        Record::Session(_) => 13,
        Record::SessionGone { .. } => 14,
        Record::Freed { .. } => 15,
        Record::Listed { .. } => 16,
        Record::Stream { .. } => 32,
        Record::StreamGone { .. } => 33,
        Record::Appended { .. } => 34,
        Record::Trimmed { .. } => 35,
        Record::Kept { .. } => 36,
        Record::Group { .. } => 37,
        Record::GroupGone { .. } => 38,
        Record::Placed { .. } => 39,
        Record::Compacted { .. } => 41,
        Record::Bound { .. } => 20,
        Record::Unbound { .. } => 21,
        Record::Topic { .. } => 24,
        Record::TopicGone { .. } => 25,
        Record::Published { appended, .. } if appended.is_empty() => 22,
        Record::Published { .. } => 42,
    }
}

/// Bytes that the record's body takes at least, and about as many if they are many: who makes room
/// for them first does not copy them once more.
pub fn size_hint(record: &Record) -> usize {
    match record {
        Record::Appended { batch, .. } => batch.len() + 64,
        Record::Sent { sent, .. } => sent.message.size() + 64,
        _ => 0,
    }
}

/// Appends the record's body.
pub fn encode(record: &Record, out: &mut BytesMut) {
    match record {
        Record::Opened { hub, epoch, boot, time_ms, lost } => {
            out.put_slice(hub);
            out.put_u64_le(*epoch);
            out.put_slice(boot);
            out.put_u64_le(*time_ms);
            out.put_u64_le(*lost);
        }
        Record::Closing | Record::Closed => {}
        Record::Queue { change: by, state } => {
            change(*by, out);
            queue(state, out);
        }
        Record::QueueGone { change: by, queue, count }
        | Record::Purged { change: by, queue, count } => {
            change(*by, out);
            out.put_u64_le(*queue);
            out.put_u64_le(*count);
        }
        Record::Sent { change: by, sent: what } => {
            change(*by, out);
            sent(what, out);
        }
        Record::Delivered(what) => delivered(what, out),
        Record::Settled { change: by, settled: what } => {
            change(*by, out);
            settled(what, out);
        }
        Record::Returned(what) => returned(what, out),
        Record::Batch { .. } => batch(record, out),
        Record::Moved(what) => stored(what, out),
        Record::Session(what) => session(what, out),
        Record::SessionGone { session } => out.put_u64_le(*session),
        Record::Freed { through } => out.put_u32_le(*through),
        Record::Listed { queue, messages } => {
            out.put_u64_le(*queue);
            out.put_u32_le(messages.len() as u32);
            messages.iter().for_each(|message| listed(message, out));
        }
        Record::Published { change: by, copies: what, appended: parts } => {
            change(*by, out);
            copies(what, out);
            if !parts.is_empty() {
                appended(parts, out);
            }
        }
        of_topics => topic_record(of_topics, out),
    }
}

fn topic_record(record: &Record, out: &mut BytesMut) {
    match record {
        Record::Bound { change: by, binding: of } | Record::Unbound { change: by, binding: of } => {
            change(*by, out);
            binding(of, out);
        }
        Record::Topic { change: by, pattern, options } => {
            change(*by, out);
            out.put_u8(options.overflow as u8);
            out.put_u32_le(options.line_max);
            text(pattern.as_str(), out);
        }
        Record::TopicGone { change: by, pattern } => {
            change(*by, out);
            text(pattern.as_str(), out);
        }
        of_streams => stream_record(of_streams, out),
    }
}

fn batch(record: &Record, out: &mut BytesMut) {
    let Record::Batch { change: by, sent: all, settled: verdicts, published, streams } = record
    else {
        return;
    };
    change(*by, out);
    out.put_u32_le(all.len() as u32);
    out.put_u32_le(verdicts.len() as u32);
    all.iter().for_each(|what| sent(what, out));
    verdicts.iter().for_each(|what| settled(what, out));
    if !published.is_empty() || !streams.is_empty() {
        out.put_u32_le(published.len() as u32);
        published.iter().for_each(|what| copies(what, out));
    }
    if !streams.is_empty() {
        out.put_u32_le(streams.appended.len() as u32);
        out.put_u32_le(streams.placed.len() as u32);
        streams.appended.iter().for_each(|what| appended_part(what, out));
        streams.placed.iter().for_each(|what| placed(what, out));
    }
}

fn binding(binding: &Binding, out: &mut BytesMut) {
    let (kind, id) = match binding.target {
        BoundTo::Queue(queue) => (BOUND_TO_QUEUE, queue),
        BoundTo::Stream(stream) => (BOUND_TO_STREAM, stream),
    };
    out.put_u8(kind);
    out.put_u64_le(id);
    text(binding.pattern.as_str(), out);
}

fn appended(parts: &[AppendedPart], out: &mut BytesMut) {
    out.put_u32_le(parts.len() as u32);
    parts.iter().for_each(|part| appended_part(part, out));
}

fn appended_part(part: &AppendedPart, out: &mut BytesMut) {
    out.put_u64_le(part.stream);
    out.put_u32_le(part.partition);
    sized(&part.batch, out);
}

fn copies(copies: &Copies, out: &mut BytesMut) {
    out.put_u64_le(copies.time_ms);
    out.put_u32_le(copies.places.len() as u32);
    for place in &copies.places {
        out.put_u64_le(place.queue);
        out.put_u64_le(place.sequence);
        out.put_u64_le(place.message_id);
    }
    message(&copies.message, out);
}

fn stream_record(record: &Record, out: &mut BytesMut) {
    match record {
        Record::Stream { change: by, state } => {
            change(*by, out);
            stream(state, out);
        }
        Record::StreamGone { change: by, stream } => {
            change(*by, out);
            out.put_u64_le(*stream);
        }
        Record::Appended { change: by, stream, partition, batch } => {
            change(*by, out);
            out.put_u64_le(*stream);
            out.put_u32_le(*partition);
            out.put_slice(batch);
        }
        Record::Trimmed { stream, partition, first } => {
            out.put_u64_le(*stream);
            out.put_u32_le(*partition);
            out.put_u64_le(*first);
        }
        Record::Compacted { stream, partition, through } => {
            out.put_u64_le(*stream);
            out.put_u32_le(*partition);
            out.put_u64_le(*through);
        }
        Record::Kept { stream, partition, batches } => {
            out.put_u64_le(*stream);
            out.put_u32_le(*partition);
            out.put_u32_le(batches.len() as u32);
            batches.iter().for_each(|batch| kept(batch, out));
        }
        Record::Group { change: by, stream, state } => {
            change(*by, out);
            out.put_u64_le(*stream);
            out.put_u64_le(state.id);
            text(state.name.as_str(), out);
            out.put_u32_le(state.places.len() as u32);
            state.places.iter().for_each(|state| place(state, out));
        }
        Record::GroupGone { change: by, stream, group } => {
            change(*by, out);
            out.put_u64_le(*stream);
            out.put_u64_le(*group);
        }
        Record::Placed { change: by, placed: what } => {
            change(*by, out);
            placed(what, out);
        }
        other => unreachable!("{other:?} has been written by its caller"),
    }
}

fn stream(state: &StreamState, out: &mut BytesMut) {
    out.put_u64_le(state.id);
    text(state.name.as_str(), out);
    let options = &state.options;
    out.put_u8(options.durability.map_or(0, |durability| durability as u8));
    out.put_u64_le(options.age_max_ms);
    out.put_u64_le(options.bytes_max);
    out.put_u64_le(options.records_max);
    out.put_u64_le(options.tombstone_age_ms);
    out.put_u8(u8::from(options.compact) | u8::from(options.keep_unread) << 1);
    out.put_u8(options.compression.map_or(0, |compression| compression as u8));
    out.put_u32_le(state.partitions.len() as u32);
    for partition in &state.partitions {
        out.put_u64_le(partition.first);
        out.put_u64_le(partition.next);
        out.put_u64_le(partition.time_ms);
        out.put_u64_le(partition.compacted);
    }
}

fn placed(placed: &Placed, out: &mut BytesMut) {
    out.put_u64_le(placed.stream);
    out.put_u64_le(placed.group);
    out.put_u32_le(placed.partition);
    place(&placed.state, out);
}

fn place(state: &PlaceState, out: &mut BytesMut) {
    out.put_u64_le(state.next);
    out.put_u64_le(state.generation);
}

fn kept(batch: &KeptBatch, out: &mut BytesMut) {
    out.put_u64_le(batch.base);
    out.put_u32_le(batch.span);
    out.put_u32_le(batch.size);
    out.put_u64_le(batch.time_ms);
    out.put_u32_le(batch.place.segment);
    out.put_u32_le(batch.place.offset);
    out.put_u32_le(batch.place.size);
}

/// A producer of 0 is none.
fn change(change: Option<Change>, out: &mut BytesMut) {
    let change = change.unwrap_or_default();
    out.put_u64_le(change.producer);
    if change.producer != 0 {
        out.put_u64_le(change.sequence);
        out.put_u16_le((change.sequence - change.oldest) as u16);
    }
}

fn queue(state: &QueueState, out: &mut BytesMut) {
    out.put_u64_le(state.id);
    text(state.name.as_str(), out);
    options(&state.options, out);
    for figure in [
        state.sequence,
        state.sent,
        state.acknowledged,
        state.rejected,
        state.requeued,
        state.dead_lettered,
    ] {
        out.put_u64_le(figure);
    }
}

fn options(options: &QueueOptions, out: &mut BytesMut) {
    out.put_u8(options.durability.map_or(0, |durability| durability as u8));
    out.put_u8(options.overflow as u8);
    out.put_u32_le(options.max_attempts);
    for value in [
        options.length_max,
        options.bytes_max,
        options.backoff_min_ms,
        options.backoff_max_ms,
        options.ack_deadline_ms,
        options.ttl_ms,
    ] {
        out.put_u64_le(value);
    }
    text(options.dead_letter.as_ref().map_or("", |name| name.as_str()), out);
}

fn sent(sent: &Sent, out: &mut BytesMut) {
    out.put_u64_le(sent.queue);
    out.put_u64_le(sent.sequence);
    out.put_u64_le(sent.message_id);
    out.put_u64_le(sent.time_ms);
    message(&sent.message, out);
}

fn message(message: &Message, out: &mut BytesMut) {
    out.put_u32_le(message.body.len() as u32);
    match &message.properties {
        None => out.put_u8(0),
        Some(properties) => {
            out.put_u8(1 | if properties.trace.is_some() { 2 } else { 0 });
            out.put_u8(properties.priority);
            out.put_u64_le(properties.timestamp_ms);
            if let Some(trace) = &properties.trace {
                out.put_slice(&trace.trace_id);
                out.put_slice(&trace.span_id);
                out.put_u8(trace.flags);
            }
            sized(&properties.key, out);
            sized(properties.headers.encoded(), out);
        }
    }
    out.put_slice(&message.body);
}

fn delivered(delivered: &Delivered, out: &mut BytesMut) {
    out.put_u64_le(delivered.queue);
    out.put_u64_le(delivered.sequence);
    holder(&delivered.holder, out);
}

fn holder(holder: &Holder, out: &mut BytesMut) {
    out.put_u64_le(holder.session);
    out.put_u64_le(holder.token);
    out.put_u64_le(holder.id);
    out.put_u8(holder.is_receive.into());
}

fn settled(settled: &Settled, out: &mut BytesMut) {
    out.put_u64_le(settled.queue);
    out.put_u64_le(settled.sequence);
    out.put_u8(settled.verdict as u8);
    out.put_u64_le(settled.time_ms);
    dead(settled.dead, out);
    text(&settled.reason, out);
}

fn returned(returned: &Returned, out: &mut BytesMut) {
    out.put_u64_le(returned.queue);
    out.put_u64_le(returned.sequence);
    out.put_u8(returned.why as u8);
    out.put_u64_le(returned.time_ms);
    dead(returned.dead, out);
}

fn dead(dead: Option<DeadTo>, out: &mut BytesMut) {
    out.put_u8(dead.is_some().into());
    if let Some(dead) = dead {
        out.put_u64_le(dead.queue);
        out.put_u64_le(dead.sequence);
    }
}

fn stored(stored: &Stored, out: &mut BytesMut) {
    sent(&stored.sent, out);
    out.put_u32_le(stored.failures);
    out.put_u8(u8::from(stored.redelivered) | u8::from(stored.suspect) << 1);
    out.put_u8(stored.holder.is_some().into());
    if let Some(by) = &stored.holder {
        holder(by, out);
    }
    history(&stored.history, out);
}

fn listed(listed: &Listed, out: &mut BytesMut) {
    out.put_u64_le(listed.sequence);
    out.put_u64_le(listed.message_id);
    out.put_u32_le(listed.place.segment);
    out.put_u32_le(listed.place.offset);
    out.put_u32_le(listed.place.size);
    out.put_u32_le(listed.bytes);
    out.put_u32_le(listed.failures);
    out.put_u8(listed.priority);
    let marks = u8::from(listed.redelivered) | u8::from(listed.suspect) << 1;
    out.put_u8(marks | u8::from(listed.more.is_some()) << 2);
    if let Some(more) = &listed.more {
        out.put_u64_le(more.time_ms);
        out.put_u8(more.holder.is_some().into());
        if let Some(by) = &more.holder {
            holder(by, out);
        }
        history(&more.history, out);
    }
}

fn history(history: &History, out: &mut BytesMut) {
    out.put_u8(history.origin.is_some().into());
    if let Some(origin) = &history.origin {
        text(origin.queue.as_str(), out);
        out.put_u8(origin.why as u8);
        out.put_u32_le(origin.failures);
    }
    out.put_u32_le(history.failures.len() as u32);
    for failure in &history.failures {
        out.put_u64_le(failure.time_ms);
        out.put_u8(failure.why as u8);
        text(&failure.reason, out);
    }
}

fn session(state: &SessionState, out: &mut BytesMut) {
    out.put_u64_le(state.id);
    out.put_slice(&state.token);
    out.put_u8(u8::from(state.local) | u8::from(state.process.is_some()) << 1);
    if let Some(process) = state.process {
        out.put_u32_le(process.pid);
        out.put_u64_le(process.started);
    }
    out.put_u64_le(state.oldest);
    out.put_u32_le(state.marks.len() as u32);
    for (sequence, mark) in &state.marks {
        out.put_u64_le(*sequence);
        match mark {
            Mark::Empty => out.put_u8(0),
            Mark::Receipt(of) => {
                out.put_u8(1);
                receipt(of, out);
            }
            Mark::Count(count) => {
                out.put_u8(2);
                out.put_u64_le(*count);
            }
            Mark::Receipts(receipts) => {
                out.put_u8(3);
                out.put_u64_le(receipts.first);
                out.put_u32_le(receipts.count);
                out.put_u8(receipts.durability as u8);
            }
            Mark::Stored(durability) => {
                out.put_u8(4);
                out.put_u8(*durability as u8);
            }
            Mark::Appended(appended) => {
                out.put_u8(5);
                out.put_u32_le(appended.partition);
                out.put_u64_le(appended.base);
                out.put_u8(appended.durability as u8);
            }
        }
    }
}

fn receipt(receipt: &Receipt, out: &mut BytesMut) {
    out.put_u64_le(receipt.message_id);
    out.put_u8(receipt.durability as u8);
}

fn text(text: &str, out: &mut BytesMut) {
    sized(text.as_bytes(), out);
}

fn sized(bytes: &[u8], out: &mut BytesMut) {
    out.put_u32_le(bytes.len() as u32);
    out.put_slice(bytes);
}
