/* Telpher: messaging as a library.
 *
 * Generated from ffi/src by `make c-header`; not to be edited.
 *
 * A program opens a hub and starts operations on it. Starting never blocks; it yields an id, and
 * the operation ends exactly once, as an event: with a result or an error, no later than its time
 * allows. Where the event goes is said when the operation is started (telpher_done): telpher_wait
 * for the id, telpher_poll, a callback, or nowhere.
 *
 * Rules that hold throughout:
 *
 * - A function returns TELPHER_OK or the status that says why it did nothing; telpher_last_error()
 *   then has the words. How an operation ended is in its event: `status`, `detail`, `code`,
 *   `maybe_executed`.
 * - Besides the errors that a function names, each may return TELPHER_INVALID (an argument),
 *   TELPHER_CLOSED, TELPHER_FORKED (the handle is the parent's) and TELPHER_INTERNAL.
 * - Each pointer is valid for the whole call, or NULL where that is stated; a NULL that is not is
 *   refused with TELPHER_INVALID. Texts end with a zero byte and are UTF-8. What goes in is copied,
 *   but for a body that is handed over (telpher_message).
 * - Results come through the pointers whose names end in `_out`. They are set to 0 first (a
 *   descriptor to -1), and to their result only on TELPHER_OK.
 * - A struct that the program fills in starts with its size, so that it can grow; all other bytes
 *   zero are every default. TELPHER_SIZED makes one so. Arrays of structs pass their stride.
 * - Ids and handles are numbers. A wrong one is an error, never a crash.
 * - Times are in ms: 0 is the default, TELPHER_FOREVER (-1) none.
 * - Nothing here prints, raises a signal or ends the program. After fork() the child opens handles
 *   of its own.
 */

#ifndef TELPHER_H
#define TELPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of this interface. A library serves every program whose header has the same number
// or a lower one.
#define TELPHER_ABI_VERSION 1

// It went well. The statuses below say of each error whether the operation may have been executed
// nevertheless: never, yes, or as `maybe_executed` in its event says.
#define TELPHER_OK 0

// An argument is wrong; the text says which, its limit and its value. Nothing was started.
// May have been executed: never.
#define TELPHER_INVALID 1

// A body, key, header or name is over its limit. Nothing was started.
// May have been executed: never.
#define TELPHER_TOO_LARGE 2

// As much is in flight as may be, or the queue is full. Nothing was stored; one READY event
// follows when half of what may be in flight is free again.
// May have been executed: never.
#define TELPHER_FULL 3

// The id names nothing any more: its ticket was redeemed, or its delivery settled, before.
// May have been executed: never.
#define TELPHER_STALE 4

// The handle is closed, or was while the operation was open.
// May have been executed: as its event says.
#define TELPHER_CLOSED 5

// The wait's own time passed first. The ticket is still open; nothing has changed.
// May have been executed: never.
#define TELPHER_PENDING 6

// The handle was opened before a fork, by the parent. The child must open its own.
// May have been executed: never.
#define TELPHER_FORKED 7

// Waiting here would wait for oneself: inside a callback or handler, or on a second driver.
// May have been executed: never.
#define TELPHER_WOULD_DEADLOCK 8

// The hub cannot do this; the text names the feature. Nothing was done.
// May have been executed: never.
#define TELPHER_UNSUPPORTED 9

// No queue or stream has this name.
// May have been executed: never.
#define TELPHER_NOT_FOUND 10

// It exists with other options; the text names the difference. Nothing was changed.
// May have been executed: never.
#define TELPHER_MISMATCH 11

// No instance serves this name. The request was not run.
// May have been executed: never.
#define TELPHER_NO_SERVICE 12

// The service's line of waiting requests is full. The request was not run.
// May have been executed: never.
#define TELPHER_BUSY 13

// The time ran out before the operation began. It was dropped unrun.
// May have been executed: never.
#define TELPHER_EXPIRED 14

// The time ran out while the handler was running.
// May have been executed: yes.
#define TELPHER_TIMED_OUT 15

// The handler failed; the error carries its code and text.
// May have been executed: yes.
#define TELPHER_REMOTE 16

// The handler let go of the request, or ended, without an answer.
// May have been executed: yes.
#define TELPHER_ABANDONED 17

// Cancelled at the program's own wish.
// May have been executed: as its event says.
#define TELPHER_CANCELLED 18

// The host that held the operation is gone, or no longer knows this session.
// May have been executed: as its event says.
#define TELPHER_HOST_LOST 19

// The deadline passed without a verdict of the hub.
// May have been executed: yes.
#define TELPHER_HOST_UNRESPONSIVE 20

// Nobody hosts the hub and this handle may not, or the hub could not be reached in time.
// May have been executed: never.
#define TELPHER_NO_HOST 21

// The delivery or request was taken back before this answer came. The answer had no effect.
// May have been executed: never.
#define TELPHER_LEASE_LOST 22

// The hub does not know this producer any more, so it cannot tell a repeat from a new message.
// May have been executed: yes.
#define TELPHER_UNKNOWN_PRODUCER 23

// Whether it was done cannot be found out.
// May have been executed: yes.
#define TELPHER_INDETERMINATE 24

// The other side broke the wire protocol; the connection was ended with this reason.
// May have been executed: as its event says.
#define TELPHER_PROTOCOL 25

// Refused by policy: not without a stated permission. Nothing was done.
// May have been executed: never.
#define TELPHER_REFUSED 26

// The operating system refused; the text carries its words.
// May have been executed: as its event says.
#define TELPHER_IO 27

// A signal arrived during the wait. Nothing has changed: call again.
// May have been executed: never.
#define TELPHER_INTERRUPTED 28

// A fault in Telpher itself was caught; the handle refuses further work.
// May have been executed: yes.
#define TELPHER_INTERNAL 29

// The disk is full. Nothing was stored; settling what is held frees room.
// May have been executed: never.
#define TELPHER_NO_SPACE 30

// Damage was found on disk; the text names the file and the offset. Nothing of it is used.
// May have been executed: never.
#define TELPHER_CORRUPT 31

// Of a gather: the request or its answer was dropped on the way, as a buffer was full or a
// connection broke.
// May have been executed: as its event says.
#define TELPHER_LOST 32

// What was to be read is not kept any more, or not there yet; the text tells the range.
// May have been executed: never.
#define TELPHER_OUT_OF_RANGE 33

// The partition's next offset is another than was expected. Nothing was appended.
// May have been executed: never.
#define TELPHER_CONFLICT 34

// telpher_done: the outcome is fetched by telpher_wait with the id.
#define TELPHER_DONE_WAIT 0

// telpher_done: the outcome comes out of telpher_poll, with `user`.
#define TELPHER_DONE_EVENT 1

// telpher_done: the outcome is given to `fn`, with `user`.
#define TELPHER_DONE_CALLBACK 2

// telpher_done: nobody looks; failures are counted (telpher_counters) and logged.
#define TELPHER_DONE_NONE 3

// telpher_event: a ticket has ended, with `status`; nothing more comes for its id.
#define TELPHER_EVENT_DONE 1

// telpher_event: the consumer, service, subscriber or reader is live in the hub.
#define TELPHER_EVENT_STARTED 2

// telpher_event: a message for a consumer; settle `token`.
#define TELPHER_EVENT_DELIVERY 3

// telpher_event: a request for a service; answer `token`.
#define TELPHER_EVENT_REQUEST 4

// telpher_event: the caller of request `token` no longer waits. The handler may stop, and must
// still answer or let go; a subscriber need not, and can't any more. A program that waits asks
// telpher_request_cancelled instead.
#define TELPHER_EVENT_WITHDRAWN 5

// telpher_event: something happened to the hub; `notice` says what.
#define TELPHER_EVENT_NOTICE 6

// telpher_event: after a TELPHER_FULL, half of what may be in flight is free again.
#define TELPHER_EVENT_READY 7

// telpher_event: a message for a subscriber; `token` is not 0 if an answer is gathered.
#define TELPHER_EVENT_PUBLISHED 8

// telpher_event: a subscriber was too slow, or its connection broke: `count` messages from
// `number` on never come.
#define TELPHER_EVENT_GAP 9

// telpher_event: an answer to a gather, with the `instance` that gave it; if its handler failed,
// with `status`, `code` and `detail`.
#define TELPHER_EVENT_ANSWER 10

// telpher_gather_options: every instance of a service is asked.
#define TELPHER_GATHER_SERVICE 0

// telpher_gather_options: every subscriber of a topic is asked.
#define TELPHER_GATHER_TOPIC 1

// telpher_event: a record for a reader.
#define TELPHER_EVENT_RECORD 11

// telpher_event: the stream's limits have taken records before the reader's group read them: those
// of `partition` from `offset` to `offset_last` never come.
#define TELPHER_EVENT_SKIPPED 12

// A notice: the connection broke, `detail` says why; the handle tries to reach the hub again.
#define TELPHER_NOTICE_DISCONNECTED 1

// A notice: the connection is back, and the session with it.
#define TELPHER_NOTICE_RESUMED 2

// A notice: another host has taken over with `epoch`, or the host has forgotten this session. Open
// calls ended as TELPHER_HOST_LOST; consumers, services, subscribers and readers register again by
// themselves. After a takeover the session mostly goes on: deliveries of queues on disk stay held,
// and what was not confirmed of sends, appends, verdicts, declarations and batches is repeated by
// itself. If the session is forgotten, that ended as TELPHER_HOST_LOST, too, and deliveries are
// void.
// `memory_lost` tells whether what queues and streams held in memory is gone.
#define TELPHER_NOTICE_HUB_CHANGED 3

// A background thread turns the handle; callbacks run there.
#define TELPHER_DRIVE_LIBRARY 0

// The thread that first polls or waits turns the handle; it has no thread of its own.
#define TELPHER_DRIVE_CALLER 1

// As TELPHER_DRIVE_CALLER, and the hub itself is hosted on that thread: mem, tcp and unix only.
// With tcp and unix the handle listens at that address.
#define TELPHER_DRIVE_INLINE 2

// This process hosts a directory's hub if nobody else does.
#define TELPHER_HOST_AUTO 0

// This process never hosts; without a host, opening ends as TELPHER_NO_HOST.
#define TELPHER_HOST_NEVER 1

// Opening waits until this process is the host.
#define TELPHER_HOST_ALWAYS 2

// The hub's own default: memory, or disk for a hub in a directory.
#define TELPHER_DURABILITY_DEFAULT 0

// Applied; lost with the process that hosts the hub.
#define TELPHER_DURABILITY_MEMORY 1

// Written; survives the processes.
#define TELPHER_DURABILITY_OS 2

// Synced; survives the machine.
#define TELPHER_DURABILITY_DISK 3

// Records are not packed.
#define TELPHER_COMPRESSION_NONE 0

// Records are packed fast: LZ4.
#define TELPHER_COMPRESSION_LZ4 1

// Records are packed small: Zstandard.
#define TELPHER_COMPRESSION_ZSTD 2

// A send to a full queue waits in line for room, and is TELPHER_FULL at its deadline.
#define TELPHER_OVERFLOW_WAIT 0

// A send to a full queue is TELPHER_FULL at once.
#define TELPHER_OVERFLOW_REJECT 1

// telpher_topic_options: a subscriber that is slow loses its oldest messages.
#define TELPHER_TOPIC_OVERFLOW_DROP 0

// telpher_topic_options: a publish waits in line until every subscriber has room, and is
// TELPHER_EXPIRED at its deadline.
#define TELPHER_TOPIC_OVERFLOW_WAIT 1

// Done: the message leaves the queue.
#define TELPHER_ACKNOWLEDGE 1

// It can never be done: the message goes to the dead-letter queue.
#define TELPHER_REJECT 2

// To be tried again: after a pause back to its place, with one more failure; at the last attempt
// to the dead-letter queue.
#define TELPHER_REQUEUE 3

// Not touched: back to its place at once, with no failure.
#define TELPHER_RELEASE 4

// Reading begins at the oldest record that is kept.
#define TELPHER_START_BEGINNING 0

// Reading begins behind the newest record.
#define TELPHER_START_END 1

// Reading begins at the offset `start_at`: that of a record, or the one that the next gets.
#define TELPHER_START_OFFSET 2

// Reading begins at the oldest record that was appended at `start_at` or later, in ms since 1970
// by the hub's clock. Records that were appended together have one time, and are read together. A
// reader group begins with the batch in which that record lies, so it may begin a little earlier.
#define TELPHER_START_TIME 3

// A timeout_ms: without bound.
#define TELPHER_FOREVER -1

// A line_max: no request waits in line.
#define TELPHER_LINE_NONE 4294967295

// A message's headers; see telpher_header_get.
typedef struct telpher_headers telpher_headers;

// How a function or an operation ended: TELPHER_OK or the number of an error.
typedef uint32_t telpher_status;

// Names a ticket, a consumer, a service, a subscriber or a reader of one handle; never 0, never
// used again.
typedef uint64_t telpher_id;

// A queue's figures, and how it is: each default in its place.
typedef struct telpher_queue_info {
    // Messages waiting that could be handed out now.
    uint64_t ready;
    // Messages held by consumers.
    uint64_t held;
    // Bytes of bodies, keys and headers, waiting and held.
    uint64_t bytes;
    // Sends waiting for room.
    uint64_t sends_waiting;
    // Consumers, and receives that wait.
    uint64_t consumers;
    // Messages stored since the queue was made, dead letters of other queues included.
    uint64_t sent;
    // Messages acknowledged.
    uint64_t acknowledged;
    // Messages rejected.
    uint64_t rejected;
    // Times that an attempt failed and the message was to be tried again.
    uint64_t requeued;
    // Bound on messages.
    uint64_t length_max;
    // Bound on bytes.
    uint64_t bytes_max;
    // TELPHER_OVERFLOW_WAIT or _REJECT.
    uint32_t overflow;
    // TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    uint32_t durability;
    // Messages that wait for their next attempt.
    uint64_t delayed;
    // Messages whose body on disk was found damaged: never handed out, they count until a purge.
    uint64_t damaged;
    // Messages that went to the dead-letter queue.
    uint64_t dead_lettered;
    // Pause after the first failed attempt, in ms.
    uint64_t backoff_min_ms;
    // Longest pause, in ms.
    uint64_t backoff_max_ms;
    // Time after which an unsettled message is taken back, in ms; 0: never.
    uint64_t ack_deadline_ms;
    // Time after which a waiting message goes to the dead-letter queue, in ms; 0: never.
    uint64_t ttl_ms;
    // Where dead letters go; NULL: nowhere. Valid as long as this struct.
    const char *dead_letter;
    // Failed attempts after which a message goes to the dead-letter queue.
    uint32_t max_attempts;
    // Patterns of topics that are bound to it, in order, with a space between two; NULL: none.
    // Valid as long as this struct.
    const char *bindings;
} telpher_queue_info;

// Which hub a handle has reached.
typedef struct telpher_hub_info {
    // The hub, for ever.
    uint8_t hub_id[16];
    // Rises with every host that the hub has had.
    uint64_t epoch;
    // This handle's session.
    uint64_t session_id;
    // True if the hub has no directory: queues are kept in memory only.
    bool memory_only;
} telpher_hub_info;

// W3C trace context. All bytes zero: none.
typedef struct telpher_trace {
    // Which trace.
    uint8_t trace_id[16];
    // Which span the message was sent from.
    uint8_t span_id[8];
    // Bit 0: sampled.
    uint8_t flags;
} telpher_trace;

// What a confirmed send of a batch has reached. Programs walk over arrays of it, so it stays as it
// is.
typedef struct telpher_receipt {
    // The message's id, unique in the hub.
    uint64_t message_id;
    // How safe it is: TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    uint32_t durability;
} telpher_receipt;

// One that did not answer a gather. Programs walk over arrays of it, so it stays as it is.
typedef struct telpher_missing {
    // Who, as in the ANSWERs of other gathers.
    uint64_t instance;
    // What it calls itself; NULL if it has stated no name. Valid as long as the event.
    const char *instance_name;
    // Why, in words. Valid as long as the event.
    const char *detail;
    // Why: TELPHER_TIMED_OUT, _EXPIRED (it was busy all the time), _CANCELLED (enough others have
    // answered), _BUSY, _NO_SERVICE (it stopped before it was asked), _ABANDONED (its session
    // ended) or _LOST.
    telpher_status status;
    // True if it may have handled the request.
    bool maybe_executed;
} telpher_missing;

// A partition's figures. Programs walk over arrays of it, so it stays as it is.
typedef struct telpher_partition_info {
    // The offset of the oldest record that is kept; that of the next one if none is.
    uint64_t first;
    // The offset that the next record gets.
    uint64_t next;
    // Bytes of what is kept.
    uint64_t bytes;
} telpher_partition_info;

// A stream's figures, and how it is: each default in its place. Its pointers are valid as long as
// this struct.
typedef struct telpher_stream_info {
    // What it is called, in a list; NULL in the DONE of telpher_stream_inspect.
    const char *name;
    // The figures of each partition, from number 0.
    const struct telpher_partition_info *partitions;
    // How many partitions there are.
    size_t partitions_count;
    // Age from which records are removed, in ms; 0: never for their age.
    uint64_t age_max_ms;
    // Bytes of one partition beyond which its oldest records are removed.
    uint64_t bytes_max;
    // Records of one partition beyond which its oldest are removed; 0: any number.
    uint64_t records_max;
    // TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    uint32_t durability;
    // 1: of each key the latest record is kept.
    uint32_t compact;
    // 1: what a reader group has not committed stays.
    uint32_t keep_unread;
    // With `compact`: age from which tombstones are removed, in ms; 0 without it.
    uint64_t tombstone_age_ms;
    // TELPHER_COMPRESSION_NONE, _LZ4 or _ZSTD.
    uint32_t compression;
    // Patterns of topics that are bound to it, in order, with a space between two; NULL: none.
    const char *bindings;
} telpher_stream_info;

// How far a reader group has come in one partition. Programs walk over arrays of it, so it stays
// as it is.
typedef struct telpher_group_place {
    // The next offset: what is below is committed, or not kept any more.
    uint64_t next;
    // Offsets from there to the partition's end. As many records come at most: fewer where
    // compaction has removed some, or where members read only some.
    uint64_t lag;
    // True if a member reads the partition now.
    bool is_read;
} telpher_group_place;

// A reader group's figures. Lists point to each, so that it can grow: the library makes this
// struct.
typedef struct telpher_group_info {
    // What it is called.
    const char *name;
    // The place in each partition, from number 0.
    const struct telpher_group_place *places;
    // How many partitions there are.
    size_t places_count;
    // Readers that are members now.
    uint32_t members;
} telpher_group_info;

// A declaration of topics. Programs walk over arrays of it, so it stays as it is.
typedef struct telpher_topic_info {
    // Its pattern, in a list; NULL in the DONE of telpher_topic_inspect. Valid as long as the
    // event.
    const char *pattern;
    // Publishes that wait in line now.
    uint64_t waiting;
    // TELPHER_TOPIC_OVERFLOW_DROP or _WAIT.
    uint32_t overflow;
    // Publishes that may wait in line; 0 if none ever does.
    uint32_t line_max;
} telpher_topic_info;

// Something has ended or arrived. What does not belong to its kind is 0.
//
// Events are handed over in batches (which have nothing to do with telpher_batch_new). Every
// pointer is valid until telpher_events_release of the batch that the event came in, and
// telpher_message_retain keeps the message's own (body, key, headers) longer. The program may copy
// an event.
typedef struct telpher_event {
    // Bytes of this struct. The program sets it before telpher_wait; telpher_poll goes by
    // `stride`.
    size_t size;
    // TELPHER_EVENT_DONE, _STARTED, _DELIVERY, _REQUEST, _WITHDRAWN, _NOTICE, _READY, _PUBLISHED,
    // _GAP, _ANSWER, _RECORD or _SKIPPED.
    uint32_t kind;
    // DONE: how the ticket ended. ANSWER: how the handler did.
    telpher_status status;
    // Which ticket, consumer, service, subscriber or reader; 0 for the handle itself.
    telpher_id id;
    // What telpher_done carried; 0 with TELPHER_DONE_WAIT.
    uint64_t user;
    // The batch, for telpher_events_release and telpher_message_retain.
    uint64_t batch;
    // The event's place in its batch.
    uint32_t batch_index;
    // DONE of a call, ANSWER: the code that the failing handler gave.
    int32_t code;
    // A delivery's or request's token, to be settled or answered; also in the DONE of a receive.
    // Of a PUBLISHED: 0, or to be answered.
    uint64_t token;
    // The body of a reply, answer, delivery, request, published message or record. NULL if it is
    // empty.
    const void *body;
    // Bytes of `body`.
    size_t body_size;
    // The message's key; NULL: none.
    const void *key;
    // Bytes of `key`.
    size_t key_size;
    // The message's headers; NULL: none.
    const struct telpher_headers *headers;
    // When the message was sent, in ms since 1970 by its sender's clock; 0 if not stated.
    uint64_t timestamp_ms;
    // The message's id, unique in the hub: of a delivery, or in the DONE of a send.
    uint64_t message_id;
    // DONE of a delete or purge: messages removed. GAP: messages lost.
    uint64_t count;
    // A failed DONE or ANSWER: what was wrong; DISCONNECTED: why. Otherwise NULL.
    const char *detail;
    // DONE of an inspect: the figures.
    const struct telpher_queue_info *queue_info;
    // DONE of an open: the hub.
    const struct telpher_hub_info *hub_info;
    // HUB_CHANGED: the new host's epoch.
    uint64_t epoch;
    // NOTICE: TELPHER_NOTICE_DISCONNECTED, _RESUMED or _HUB_CHANGED.
    uint32_t notice;
    // Attempts of the message that failed before.
    uint32_t failures;
    // DONE of a send or append: how safe the message is, TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    uint32_t durability;
    // The message's priority, 0 to 255.
    uint32_t priority;
    // True if somebody held the message before.
    bool redelivered;
    // A failed DONE or ANSWER: true if the operation may have taken effect.
    bool maybe_executed;
    // HUB_CHANGED: true if what queues and streams held in memory is gone.
    bool memory_lost;
    // Where the message was sent from; all zero: not stated.
    struct telpher_trace trace;
    // DONE of a batch: what its sends have reached, in their order. NULL if it had none.
    const struct telpher_receipt *receipts;
    // How many receipts there are.
    size_t receipts_count;
    // PUBLISHED: the topic. Otherwise NULL.
    const char *topic;
    // PUBLISHED: counts the messages of this subscriber, from 1. GAP: the first that was lost.
    uint64_t number;
    // ANSWER: who gives it, a number that an instance or subscriber keeps while it is registered
    // with one host.
    uint64_t instance;
    // DONE of a gather: who did not answer, in the order in which they were asked. NULL if nobody.
    const struct telpher_missing *missing;
    // How many these are.
    size_t missing_count;
    // DONE of a gather: answers.
    uint32_t answered;
    // DONE of a gather: answers that say that the handler failed.
    uint32_t failed;
    // RECORD, or DONE of an append: counts the records of the partition, from 0.
    // SKIPPED: the first that never comes.
    uint64_t offset;
    // RECORD: when it was appended, in ms since 1970 by the hub's clock; never less than of the
    // record before it.
    uint64_t time_ms;
    // RECORD, SKIPPED, or DONE of an append: the part of the stream that it is in.
    uint32_t partition;
    // DONE of telpher_stream_inspect: the figures.
    const struct telpher_stream_info *stream_info;
    // DONE of telpher_stream_list: pointers to the figures of each stream. NULL if there are none.
    const struct telpher_stream_info *const *streams;
    // How many streams there are.
    size_t streams_count;
    // RECORD of a member of a group: what it is committed with (telpher_commit).
    uint64_t generation;
    // SKIPPED: the last offset that never comes.
    uint64_t offset_last;
    // DONE of telpher_group_list: pointers to the figures of each group. NULL if there are none.
    const struct telpher_group_info *const *groups;
    // How many groups there are.
    size_t groups_count;
    // DONE of telpher_topic_inspect: the declaration.
    const struct telpher_topic_info *topic_info;
    // DONE of telpher_topic_list: the declarations. NULL if there are none.
    const struct telpher_topic_info *topics;
    // How many declarations these are.
    size_t topics_count;
    // ANSWER: what who gives it calls itself. NULL if it has stated no name. Several may have
    // stated the same; `instance` tells them apart.
    const char *instance_name;
} telpher_event;

// Takes an outcome, on the thread that drives the handle, with no lock held. The event is valid
// until the function returns. The function may start operations and close the handle; it must not
// wait for operations (TELPHER_WOULD_DEADLOCK), throw, nor jump out.
typedef void (*telpher_done_fn)(const struct telpher_event *event, uint64_t user);

// Where an outcome goes. Where a function takes one, NULL means TELPHER_DONE_WAIT if the function
// gives an id, and TELPHER_DONE_NONE if `id_out` is NULL as well.
typedef struct telpher_done {
    // sizeof(telpher_done)
    size_t size;
    // TELPHER_DONE_WAIT, _EVENT, _CALLBACK or _NONE.
    uint32_t kind;
    // The program's own number, given back with every event. With TELPHER_DONE_WAIT, unused.
    uint64_t user;
    // With TELPHER_DONE_CALLBACK: what is called. Otherwise NULL.
    telpher_done_fn fn;
} telpher_done;

// How a hub is opened.
typedef struct telpher_open_options {
    // sizeof(telpher_open_options)
    size_t size;
    // Time until opening fails: 0 is the default of 30,000, TELPHER_FOREVER none.
    int64_t timeout_ms;
    // TELPHER_DRIVE_LIBRARY, _CALLER or _INLINE.
    uint32_t drive;
    // TELPHER_HOST_AUTO, _NEVER or _ALWAYS.
    uint32_t host;
    // Operations in flight, 1 to 65,536; 0 is the default of 1,024.
    size_t in_flight_max;
    // Further addresses at which a hub hosted by this process listens (tcp, unix).
    const char *const *listen;
    // How many there are.
    size_t listen_count;
    // How long a hub hosted here keeps a remote session whose connection broke; 0 is the default
    // of 5,000.
    uint64_t session_grace_ms;
    // 1: listen at addresses other than loopback, where anybody may connect.
    uint32_t insecure;
    // 1: a signal ends a wait as TELPHER_INTERRUPTED.
    uint32_t interruptible;
    // Where NOTICE and READY events go, any but TELPHER_DONE_WAIT; NULL: nowhere.
    const struct telpher_done *notices;
} telpher_open_options;

// A handle to a hub, as telpher_open makes it; never 0, never used again. Every function that
// takes one may be called from any thread, and refuses a closed or foreign one.
typedef uint64_t telpher_hub;

// Counters of one handle, since it was opened.
typedef struct telpher_counters {
    // sizeof(telpher_counters), set before telpher_stats.
    size_t size;
    // Operations open now, handed-over outcomes not counted.
    uint64_t in_flight;
    // Bytes of bodies open now.
    uint64_t in_flight_bytes;
    // Operations started.
    uint64_t started;
    // Operations that ended with an error.
    uint64_t failed;
    // Of these, with nobody to look at them.
    uint64_t failed_unseen;
    // Connections made.
    uint64_t connects;
} telpher_counters;

// Names a message that telpher_message_retain keeps; never 0.
typedef uint64_t telpher_retained;

// Takes back a body that was handed over. Runs exactly once, on any thread.
typedef void (*telpher_release_fn)(void *release_arg);

// A name and a value that travel with a message.
typedef struct telpher_header {
    // 1 to 255 bytes, UTF-8.
    const char *name;
    // At most 65,536 bytes; all headers of a message together, too.
    const void *value;
    // Bytes of `value`.
    size_t value_size;
} telpher_header;

// A message to be sent: a body and its properties. TELPHER_BODY makes one of a body alone.
//
// Without `release` everything is copied before the function returns. With it, the body is handed
// over: it must stay as it is until `release(release_arg)` is called, which happens exactly once,
// also when the function fails. (If `size` is refused, or is too small to hold `release`, there
// was nothing to call.) Key, headers and trace are always copied.
typedef struct telpher_message {
    // sizeof(telpher_message)
    size_t size;
    // At most 8 MiB. Telpher never looks into it.
    const void *body;
    // Bytes of `body`; 0 allows NULL.
    size_t body_size;
    // NULL, or what takes the body back.
    telpher_release_fn release;
    // Given to `release`.
    void *release_arg;
    // Which messages belong together: at most 1,024 bytes. NULL: none.
    const void *key;
    // Bytes of `key`.
    size_t key_size;
    // NULL if there are none.
    const struct telpher_header *headers;
    // How many headers there are.
    size_t headers_count;
    // sizeof(telpher_header)
    size_t headers_stride;
    // When it was sent, in ms since 1970; 0 if not stated.
    uint64_t timestamp_ms;
    // 0 to 255; higher is delivered first.
    uint32_t priority;
    // Where the message was sent from.
    struct telpher_trace trace;
} telpher_message;

// How a call is made.
typedef struct telpher_call_options {
    // sizeof(telpher_call_options)
    size_t size;
    // Time for the reply, waiting in line included: 0 is the default of 30,000.
    int64_t timeout_ms;
    // The token of the request that is being handled, if any: the call gets no more time than the
    // request has left.
    uint64_t request;
} telpher_call_options;

// How a name is served.
typedef struct telpher_serve_options {
    // sizeof(telpher_serve_options)
    size_t size;
    // Time until the service must be live: 0 and TELPHER_FOREVER are without bound.
    int64_t timeout_ms;
    // Requests handled at once, 1 to 65,536; 0 is the default of 1.
    uint32_t concurrency;
    // Requests that may wait while all instances are busy, up to 1,048,576; 0 is the default of
    // 1,024, TELPHER_LINE_NONE none.
    uint32_t line_max;
    // What this instance calls itself, as a service is named; NULL: nothing. Whoever gathers its
    // answers sees it with each, or with its place among those that did not answer. Two may state
    // the same name.
    const char *instance_name;
} telpher_serve_options;

// A handler's failure, as its caller sees it.
typedef struct telpher_failure {
    // sizeof(telpher_failure)
    size_t size;
    // The program's own code.
    int32_t code;
    // What went wrong, UTF-8; NULL: nothing to say.
    const char *text;
} telpher_failure;

// How a queue is.
typedef struct telpher_declare_options {
    // sizeof(telpher_declare_options)
    size_t size;
    // Time for the declaration: 0 is the default of 30,000.
    int64_t timeout_ms;
    // TELPHER_DURABILITY_DEFAULT, _MEMORY, _OS or _DISK.
    uint32_t durability;
    // TELPHER_OVERFLOW_WAIT or _REJECT.
    uint32_t overflow;
    // Messages, waiting and held; 0 is the default of 1,000,000.
    uint64_t length_max;
    // Bytes of bodies, keys and headers; 0 is the default of 256 MiB. At most 1 GiB in memory, at
    // most 1 TiB on disk.
    uint64_t bytes_max;
    // Failed attempts after which a message goes to the dead-letter queue, 1 to 1,000; 0 is the
    // default of 20.
    uint32_t max_attempts;
    // Pause after the first failed attempt, in ms, at most a day (86,400,000); 0 is the default of
    // 100. It doubles with each further one; each pause is drawn at random between half and all of
    // its value.
    uint64_t backoff_min_ms;
    // Longest pause, in ms, at least `backoff_min_ms` and at most a day; 0 is the default of
    // 60,000.
    uint64_t backoff_max_ms;
    // Time after which a message that was handed over and not settled is taken back as a failed
    // attempt, in ms, at most a day; 0: never. telpher_extend moves it.
    uint64_t ack_deadline_ms;
    // Time after which a message that nobody holds goes to the dead-letter queue, in ms, at most
    // 1,000,000,000,000; 0: never.
    uint64_t ttl_ms;
    // The queue that dead letters go to, made when it is first needed; another one than this. NULL
    // is the queue's own name with `.dead` behind it, so the name may then have at most 250 bytes;
    // a queue whose own name ends with `.dead` then has none: what is rejected there is gone, and
    // attempts do not end. It has the same durability, or DISK where this one has OS. Its own
    // `ttl_ms` counts from a message's death.
    const char *dead_letter;
} telpher_declare_options;

// How a message is sent to a queue.
typedef struct telpher_send_options {
    // sizeof(telpher_send_options)
    size_t size;
    // Time until it is confirmed, waiting for room included: 0 is the default of 30,000.
    int64_t timeout_ms;
} telpher_send_options;

// How a message is taken from a queue.
typedef struct telpher_receive_options {
    // sizeof(telpher_receive_options)
    size_t size;
    // Time to wait for a message: 0 is the default of 30,000, TELPHER_FOREVER none.
    int64_t timeout_ms;
} telpher_receive_options;

// How messages are consumed.
typedef struct telpher_consume_options {
    // sizeof(telpher_consume_options)
    size_t size;
    // Time until the consumer must be live: 0 and TELPHER_FOREVER are without bound.
    int64_t timeout_ms;
    // Messages held at once, 1 to 65,536; 0 is the default of 64.
    uint32_t prefetch;
    // Time after which a message that was handed over and not settled is taken back as a failed
    // attempt, in ms, at most a day (86,400,000); 0: the queue's. telpher_extend moves it.
    uint32_t ack_deadline_ms;
} telpher_consume_options;

// What is said with a verdict on a delivery.
typedef struct telpher_settle_options {
    // sizeof(telpher_settle_options)
    size_t size;
    // With TELPHER_REJECT and _REQUEUE: why, at most 1,024 bytes, UTF-8. It is kept with the
    // message, and a dead letter carries it as a header. NULL: nothing to say.
    const char *reason;
} telpher_settle_options;

// Names a batch of telpher_batch_new; never 0, never used again.
typedef uint64_t telpher_batch;

// How a record is appended.
typedef struct telpher_append_options {
    // sizeof(telpher_append_options)
    size_t size;
    // Time until it is confirmed: 0 is the default of 30,000.
    int64_t timeout_ms;
    // 1: to `partition`. 0: to the key's, or without a key to any.
    uint32_t has_partition;
    // With `has_partition`: which, 0 to 1,023 and below the number that the stream has.
    uint32_t partition;
    // 1: only if `expect` is the offset that the partition's next record gets.
    uint32_t has_expect;
    // With `has_expect`: that offset.
    uint64_t expect;
} telpher_append_options;

// How a batch is submitted.
typedef struct telpher_batch_options {
    // sizeof(telpher_batch_options)
    size_t size;
    // Time until it is confirmed: 0 is the default of 30,000.
    int64_t timeout_ms;
} telpher_batch_options;

// How a message is published.
typedef struct telpher_publish_options {
    // sizeof(telpher_publish_options)
    size_t size;
    // Time until the hub has done it: 0 is the default of 30,000.
    int64_t timeout_ms;
} telpher_publish_options;

// How messages are subscribed to.
typedef struct telpher_subscribe_options {
    // sizeof(telpher_subscribe_options)
    size_t size;
    // Time until the subscription must be live: 0 and TELPHER_FOREVER are without bound.
    int64_t timeout_ms;
    // Messages on their way to the program, 1 to 65,536; as many more wait in the hub. 0 is the
    // default of 1,024.
    uint32_t buffer;
    // What this subscriber calls itself, as in telpher_serve_options; NULL: nothing.
    const char *instance_name;
} telpher_subscribe_options;

// How topics are.
typedef struct telpher_topic_options {
    // sizeof(telpher_topic_options)
    size_t size;
    // Time for the declaration: 0 is the default of 30,000.
    int64_t timeout_ms;
    // TELPHER_TOPIC_OVERFLOW_DROP or _WAIT.
    uint32_t overflow;
    // With TELPHER_TOPIC_OVERFLOW_WAIT: publishes that may wait in line, 1 to 1,048,576; 0 is the
    // default of 1,024. Beyond these a publish is TELPHER_FULL.
    uint32_t line_max;
} telpher_topic_options;

// How answers are gathered.
typedef struct telpher_gather_options {
    // sizeof(telpher_gather_options)
    size_t size;
    // Time after which it ends with what has come: 0 is the default of 30,000.
    int64_t timeout_ms;
    // TELPHER_GATHER_SERVICE or _TOPIC: what the name is.
    uint32_t kind;
    // Answers after which it ends, failures not counted, at most 4,096; 0: all.
    uint32_t count;
} telpher_gather_options;

// Where a reader group is put.
typedef struct telpher_group_reset_options {
    // sizeof(telpher_group_reset_options)
    size_t size;
    // 0 is the handle's default.
    int64_t timeout_ms;
    // 1: `partition` only. 0: all of them.
    uint32_t has_partition;
    // With `has_partition`: which, 0 to 1,023 and below the number that the stream has.
    uint32_t partition;
    // With TELPHER_START_OFFSET an offset, with TELPHER_START_TIME a time in ms since 1970;
    // otherwise 0.
    uint64_t start_at;
    // Where the group goes on: TELPHER_START_BEGINNING, _END, _OFFSET or _TIME.
    uint32_t start;
} telpher_group_reset_options;

// How a stream is.
typedef struct telpher_stream_options {
    // sizeof(telpher_stream_options)
    size_t size;
    // Time for the declaration: 0 is the default of 30,000.
    int64_t timeout_ms;
    // Parts that keep an order each, 1 to 1,024; 0 is the default of 1.
    uint32_t partitions;
    // TELPHER_DURABILITY_DEFAULT, _MEMORY, _OS or _DISK.
    uint32_t durability;
    // Age from which records are removed, in ms, at most 1,000,000,000,000; 0: never for their
    // age.
    uint64_t age_max_ms;
    // Bytes of one partition beyond which its oldest records are removed; 0 is the default of 64
    // MiB in memory and 1 GiB on disk. At most 1 GiB in memory, at most 1 TiB on disk.
    uint64_t bytes_max;
    // Records of one partition beyond which its oldest are removed; 0: any number. What was
    // appended in one batch is removed at once, and so is what a hub has put together on its disk,
    // which is at most a sixteenth of each limit: what is kept differs from the limits by as much,
    // and of records it is never less.
    uint64_t records_max;
    // 1: keeps of each key the latest record at least; those that a later one of their partition
    // has replaced are removed in the background. Each record needs a key (TELPHER_INVALID); one
    // with an empty body, a tombstone, says that its key is gone. Offsets stay as they are; the
    // limits hold as well.
    uint32_t compact;
    // 1: what a reader group has not committed stays: an append for which `bytes_max` or
    // `records_max` would remove it ends with TELPHER_FULL, and `age_max_ms` waits for the group.
    // 0: the limits win, and the group's reader gets TELPHER_EVENT_SKIPPED.
    uint32_t keep_unread;
    // With `compact`: age from which tombstones are removed, in ms, at most 1,000,000,000,000; 0
    // is the default of one day. A reader that is further behind may miss that a key is gone.
    uint64_t tombstone_age_ms;
    // How programs pack their records, as they stay until they are read: TELPHER_COMPRESSION_NONE,
    // _LZ4 (fast) or _ZSTD (smaller).
    uint32_t compression;
} telpher_stream_options;

// How a stream is read.
typedef struct telpher_read_options {
    // sizeof(telpher_read_options)
    size_t size;
    // Time until the reader must be live: 0 and TELPHER_FOREVER are without bound.
    int64_t timeout_ms;
    // 1: `partition` only. 0: all of them.
    uint32_t has_partition;
    // With `has_partition`: which, 0 to 1,023 and below the number that the stream has.
    uint32_t partition;
    // Where reading begins: TELPHER_START_BEGINNING, _END, _OFFSET or _TIME.
    uint32_t start;
    // 1: goes on with what is appended later. 0: ends where the stream ended when reading began.
    uint32_t follow;
    // With TELPHER_START_OFFSET an offset, with TELPHER_START_TIME a time in ms since 1970;
    // otherwise 0.
    uint64_t start_at;
    // Bytes of records that may be on their way to the program, at most 67,108,864; 0 is the
    // default of 1,048,576.
    uint32_t buffer;
    // The reader group of which the reader is a member; it follows, and reads no stated
    // `partition`. NULL: none.
    const char *group;
    // Only records with exactly this key, at most 1,024 bytes. NULL: with any, or without one.
    const void *key;
    // Bytes of `key`.
    size_t key_size;
    // Only records that have each of these headers, with exactly this value. NULL: with any.
    const struct telpher_header *headers;
    // How many headers there are, at most 8.
    size_t headers_count;
    // sizeof(telpher_header)
    size_t headers_stride;
    // With `group`, in ms, at most 86,400,000; 0: any time. A reader that was handed records and
    // commits nothing for that long ends with TELPHER_LEASE_LOST, and its partitions go to other
    // members. Each commit begins the time anew, as does a new connection or host.
    uint64_t max_processing_ms;
} telpher_read_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the interface that the library implements: at least the TELPHER_ABI_VERSION of
// any header it can serve. Any thread.
uint32_t telpher_abi_version(void);

// The name of a status without its prefix, `"NO_SERVICE"`; `"UNKNOWN"` for a number that is none.
// The text is never freed. Any thread.
const char *telpher_status_name(telpher_status status);

// What was wrong with the last function of this library that did not return TELPHER_OK in this
// thread, for a person: `"INVALID: a name is empty; it has 1 to 255 bytes"`. Never NULL; empty if
// none has failed. Valid until the thread's next failure. How an operation ended that had been
// started is not here, but in its event.
const char *telpher_last_error(void);

// Opens a hub. Never blocks: `*hub_out` is a handle at once, and its ticket ends with DONE when
// the hub is reached (`hub_info`) or cannot be. What is started before waits for that. `url` is
// `./data`, `file:///path`, `mem://name`, `unix:///path` or `tcp://host:port`. `options` NULL:
// every default.
//
// A callback may run before this function returns. On any error nothing was opened.
//
// - TELPHER_INVALID: `url` or an option is wrong.
// - TELPHER_UNSUPPORTED: this version has no such hub or directory, or it can't be driven so.
// - TELPHER_REFUSED: the directory is somebody else's, open to others or not a hub's; or listening
//   there needs a stated permission (`insecure`).
// - TELPHER_IO: the system refused the directory, or has no descriptors or threads left.
//
// The ticket may end with one of these, and everything that was started on the handle with it:
// - TELPHER_NO_HOST: nobody hosts the hub and this process may not, or it was not reached in time.
// - TELPHER_HOST_UNRESPONSIVE: its host was reached, and did not answer in time.
// - TELPHER_CORRUPT: the directory is damaged; `detail` names the file and the offset.
// - TELPHER_NO_SPACE: this process would host, and the disk has no room to begin.
// - TELPHER_IO, TELPHER_UNSUPPORTED: as above, found out later.
//
// Once the hub was reached, a directory that fails the next host is logged and tried again.
telpher_status telpher_open(const char *url,
                            const struct telpher_open_options *options,
                            const struct telpher_done *done,
                            telpher_hub *hub_out,
                            telpher_id *id_out);

// Closes a handle. Every open ticket ends as TELPHER_CLOSED, every waiter wakes with
// TELPHER_CLOSED, deliveries that were not settled go back to their queues, and what had been
// started and not yet sent is sent if the time allows. Blocks up to `timeout_ms` (0: 30,000;
// TELPHER_FOREVER is refused) until the goodbye is said and all calls of other threads have left.
// In a callback it returns at once, and is carried out when the callback has returned.
//
// Events that were handed over stay valid until they are released; those that were not are gone.
//
// - TELPHER_CLOSED: it is closed, or being closed, already.
// - TELPHER_INVALID: no such handle, or a wrong time; nothing was closed.
// - TELPHER_FORKED: it is the parent's; nothing was closed.
//
// After any other status the handle is closed.
telpher_status telpher_close(telpher_hub hub, int64_t timeout_ms);

// Gives a descriptor that is readable whenever telpher_poll has something to do, timers and events
// left over included, to be used in poll(2), epoll or any event loop. It belongs to the handle:
// never read, write nor close it, and take it out of the loop before telpher_close. With
// TELPHER_DRIVE_LIBRARY it is readable when events are waiting. Any thread.
//
// - TELPHER_UNSUPPORTED: the handle has none.
telpher_status telpher_fd(telpher_hub hub, int *fd_out);

// Sends what has been started and takes in what has arrived, without waiting. telpher_poll and
// telpher_wait do so by themselves; a program that drives the handle from its own loop calls this
// after it has started operations. Any thread.
//
// - TELPHER_WOULD_DEADLOCK: another thread drives the handle; that one will do it.
telpher_status telpher_flush(telpher_hub hub);

// Ends the telpher_poll that another thread is in, or the next one if there is none. Any thread.
telpher_status telpher_wake(telpher_hub hub);

// What the hub can do, as names with a space between: of a directory `"calls queues.memory
// queues.os queues.disk batches dead_letters topics bindings gather streams"`; where queues are
// kept in memory only, without `queues.os` and `queues.disk`. Until the hub is reached, it is what
// every hub at such a URL can. The text is never freed. Any thread.
telpher_status telpher_capabilities(telpher_hub hub, const char **names_out);

// Reads a handle's counters into `*counters`, whose `size` the caller has set. Any thread.
//
// - TELPHER_INVALID: `counters` is NULL or its size is wrong.
telpher_status telpher_stats(telpher_hub hub, struct telpher_counters *counters);

// Takes up to `capacity` events that were started with TELPHER_DONE_EVENT, `stride` bytes apart
// (sizeof(telpher_event)), and runs callbacks that are due if this thread drives the handle.
// Blocks for the first event up to `timeout_ms`: 0 not at all, TELPHER_FOREVER without bound.
// `*count_out` is 0 if none came in time, or telpher_wake ended it.
//
// If `*count_out` is not 0, release the batch with telpher_events_release and any one of them.
//
// - TELPHER_WOULD_DEADLOCK: in a callback, or another thread drives this handle.
// - TELPHER_INTERRUPTED: a signal arrived, and the handle is `interruptible`.
// - TELPHER_CLOSED: the handle is closed, or was during the wait.
telpher_status telpher_poll(telpher_hub hub,
                            struct telpher_event *events,
                            size_t stride,
                            size_t capacity,
                            size_t *count_out,
                            int64_t timeout_ms);

// Blocks for the outcome of a ticket, or the next event of a consumer, service, subscriber or
// reader, up to `timeout_ms` (0: 30,000). `event->size` is set by the caller. An id of 0 waits for
// readiness after a TELPHER_FULL. The id must have been started with TELPHER_DONE_WAIT.
//
// TELPHER_OK says that an event came: how the operation ended is `event->status`. Release the
// event with telpher_events_release.
//
// - TELPHER_PENDING: nothing came in time; the ticket is still open.
// - TELPHER_STALE: the ticket was redeemed before, or has another destination.
// - TELPHER_WOULD_DEADLOCK: in a callback, where it would wait for itself.
// - TELPHER_INTERRUPTED: a signal arrived, and the handle is `interruptible`.
// - TELPHER_CLOSED: the handle is closed, or was during the wait.
telpher_status telpher_wait(telpher_hub hub,
                            telpher_id id,
                            int64_t timeout_ms,
                            struct telpher_event *event);

// Releases the batch that `event` came in: all events of one telpher_poll, or the one of a
// telpher_wait. To be called once, with any of its events or a copy; their pointers are invalid
// from here on. Also after telpher_close. An event all of zeros belongs to no batch, which is
// fine. Any thread.
//
// - TELPHER_STALE: it was released before.
telpher_status telpher_events_release(const struct telpher_event *event);

// Asks for a ticket's end. It still ends exactly once: as TELPHER_CANCELLED, or as it would have
// if that comes first. Any thread, also in a callback.
//
// - TELPHER_STALE: it has ended.
telpher_status telpher_cancel(telpher_hub hub, telpher_id id);

// Lets go of an id. A ticket goes on, and its outcome goes nowhere. A gather is cancelled, and its
// id ends with DONE. A consumer, service, subscriber or reader stops: what was still on its way
// to it goes back, what it was handed is still to be settled or answered, and its id ends with
// DONE at its destination. Published messages that a subscriber has not taken are dropped, and so
// are records of a reader, which stay in the stream. Any thread, also in a callback.
//
// - TELPHER_STALE: it has ended.
telpher_status telpher_detach(telpher_hub hub, telpher_id id);

// Keeps the message of `event` (body, key, headers) beyond its batch: these pointers stay valid
// until telpher_message_release. Once per event, before its batch is released. Any thread.
//
// - TELPHER_STALE: the batch was released, the event has no message, or it was retained before.
telpher_status telpher_message_retain(const struct telpher_event *event,
                                      telpher_retained *retained_out);

// Releases a message that telpher_message_retain has kept; its pointers are invalid from here on.
// 0 is fine. Any thread.
//
// - TELPHER_STALE: it was released before.
telpher_status telpher_message_release(telpher_retained retained);

// The first value of header `name` in the message of `event`, which must be valid (not released,
// or retained). `*value_out` is valid as long as the message, and NULL if the value is empty. Any
// thread.
//
// - TELPHER_NOT_FOUND: the message has no such header.
telpher_status telpher_header_get(const struct telpher_event *event,
                                  const char *name,
                                  const void **value_out,
                                  size_t *value_size_out);

// Starts a call to a service. Never blocks. The ticket ends with DONE: TELPHER_OK with the reply
// as `body`, or an error. `options` and `done` may be NULL, and `id_out` if nobody waits. Any
// thread, also in a callback.
//
// Of these errors nothing was sent:
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
//
// The ticket may end with:
// - TELPHER_NO_SERVICE, TELPHER_BUSY, TELPHER_EXPIRED: the handler did not run.
// - TELPHER_REMOTE: the handler failed, with `code` and `detail`.
// - TELPHER_ABANDONED: the handler let go of it.
// - TELPHER_TIMED_OUT: the time ran out while the handler was running.
// - TELPHER_HOST_UNRESPONSIVE, TELPHER_HOST_LOST, TELPHER_CANCELLED, TELPHER_CLOSED: as
//   `maybe_executed` says.
telpher_status telpher_call(telpher_hub hub,
                            const char *service,
                            const struct telpher_message *message,
                            const struct telpher_call_options *options,
                            const struct telpher_done *done,
                            telpher_id *id_out);

// Starts to serve a name. Never blocks. At the destination come STARTED once, then a REQUEST for
// each request, at most `concurrency` of them open at once, until telpher_detach and its DONE.
// Each request's `token` is to be answered by telpher_reply, at once or later, from any thread.
// Any thread.
//
// - TELPHER_INVALID: an argument is wrong, or nobody would see the requests.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
telpher_status telpher_serve(telpher_hub hub,
                             const char *service,
                             const struct telpher_serve_options *options,
                             const struct telpher_done *done,
                             telpher_id *id_out);

// Answers a request: with `message`; or, if `failure` is not NULL, as failed, which its caller
// sees as TELPHER_REMOTE with this code and text; or, with neither, by letting go of it, which its
// caller sees as TELPHER_ABANDONED. The ticket ends when the hub has the answer; mostly nobody
// cares, and `done` and `id_out` are NULL. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: the answer is wrong; the request is still open.
//
// The ticket may end with:
// - TELPHER_STALE: the request was answered before, or is a PUBLISHED whose answer nobody waits
//   for any more.
// - TELPHER_LEASE_LOST: the request was taken back, or this hub gave none of that token. The
//   answer had no effect.
telpher_status telpher_reply(telpher_hub hub,
                             uint64_t request,
                             const struct telpher_message *message,
                             const struct telpher_failure *failure,
                             const struct telpher_done *done,
                             telpher_id *id_out);

// Tells whether the caller of a request no longer waits. Any thread, also in a callback.
//
// - TELPHER_STALE: the request was answered before, or is a PUBLISHED whose answer nobody waits
//   for any more.
telpher_status telpher_request_cancelled(telpher_hub hub, uint64_t request, bool *cancelled_out);

// What is left of a request's time, in ms; TELPHER_FOREVER if it has no deadline. Any thread, also
// in a callback.
//
// - TELPHER_STALE: the request was answered before, or is a PUBLISHED whose answer nobody waits
//   for any more.
telpher_status telpher_request_remaining_ms(telpher_hub hub,
                                            uint64_t request,
                                            int64_t *remaining_ms_out);

// Starts to make a queue, or to check that it is as stated. Never blocks. `options` NULL: every
// default. Any thread, also in a callback.
//
// A message that is rejected, or expires, or whose attempts are used up, goes to the dead-letter
// queue with further headers: `telpher.queue` (where it was), `telpher.reason` (rejected,
// requeued, late, crashed or expired), `telpher.error` (the last reason given with a verdict),
// `telpher.failures` (how many attempts failed) and `telpher.history` (a line for each of the last
// 32 of them: `ms-since-1970 why: reason`). They take what room its own headers leave in 65,536
// bytes; the oldest lines go first. One batch sends it back: a send to where it was, and a verdict
// of TELPHER_ACKNOWLEDGE on the dead letter.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
//
// The ticket may end with:
// - TELPHER_MISMATCH: the queue exists with other options; or it and a dead-letter queue differ in
//   durability. `detail` names the difference.
// - TELPHER_UNSUPPORTED: the hub has no such durability: a hub without a directory keeps queues in
//   memory only.
// - TELPHER_NO_SPACE: there is no room on disk for a queue; none was made.
telpher_status telpher_declare(telpher_hub hub,
                               const char *queue,
                               const struct telpher_declare_options *options,
                               const struct telpher_done *done,
                               telpher_id *id_out);

// Starts to remove a queue with everything in it; DONE carries the `count` of messages removed.
// Never blocks. Any thread, also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no queue has this name.
telpher_status telpher_delete(telpher_hub hub,
                              const char *queue,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Starts to remove the messages of a queue that nobody holds; DONE carries their `count`. Never
// blocks. Any thread, also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no queue has this name.
telpher_status telpher_purge(telpher_hub hub,
                             const char *queue,
                             const struct telpher_done *done,
                             telpher_id *id_out);

// Starts to read a queue's figures; DONE carries them as `queue_info`. Never blocks. Any thread,
// also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no queue has this name.
telpher_status telpher_inspect(telpher_hub hub,
                               const char *queue,
                               const struct telpher_done *done,
                               telpher_id *id_out);

// Starts to put a message into a queue. Never blocks. The ticket ends with DONE when the message
// is as safe as the queue's durability says: `message_id` and `durability` tell. Any thread, also
// in a callback.
//
// Of these errors nothing was sent:
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no queue has this name; nothing was stored.
// - TELPHER_FULL: the queue is full, until the deadline if it makes senders wait; nothing was
//   stored.
// - TELPHER_NO_SPACE: the queue is on a disk that is full; nothing was stored.
// - TELPHER_UNKNOWN_PRODUCER, TELPHER_HOST_LOST, TELPHER_HOST_UNRESPONSIVE, TELPHER_CLOSED: it may
//   have been stored, as `maybe_executed` says.
telpher_status telpher_send(telpher_hub hub,
                            const char *queue,
                            const struct telpher_message *message,
                            const struct telpher_send_options *options,
                            const struct telpher_done *done,
                            telpher_id *id_out);

// Starts to take one message from a queue. Never blocks; the ticket waits. It ends with DONE and a
// message, whose `token` is to be settled. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_FULL: nothing was sent.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no queue has this name.
// - TELPHER_EXPIRED: no message came in time.
telpher_status telpher_receive(telpher_hub hub,
                               const char *queue,
                               const struct telpher_receive_options *options,
                               const struct telpher_done *done,
                               telpher_id *id_out);

// Starts to take messages from a queue. Never blocks. At the destination come STARTED once, then a
// DELIVERY for each message, at most `prefetch` of them unsettled at once, until telpher_detach
// and its DONE. Each `token` is to be settled. Any thread, also in a callback.
//
// - TELPHER_INVALID: an argument is wrong, or nobody would see the messages.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
//
// It may end with:
// - TELPHER_NOT_FOUND: no queue has this name, or it was deleted.
telpher_status telpher_consume(telpher_hub hub,
                               const char *queue,
                               const struct telpher_consume_options *options,
                               const struct telpher_done *done,
                               telpher_id *id_out);

// Says what became of a delivery: TELPHER_ACKNOWLEDGE, _REJECT, _REQUEUE or _RELEASE. `options`
// NULL: without a reason. The ticket ends when the hub has it; mostly nobody cares, and `done` and
// `id_out` are NULL. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: no such verdict, or the reason is too long; the delivery
//   is still held.
//
// The ticket may end with:
// - TELPHER_STALE: the delivery was settled before.
// - TELPHER_LEASE_LOST: the delivery was taken back, or this hub gave none of that token. The
//   message may be delivered again.
// - TELPHER_NO_SPACE: the disk is full to the last; the delivery is still held, and may be settled
//   later.
telpher_status telpher_settle(telpher_hub hub,
                              uint64_t delivery,
                              uint32_t verdict,
                              const struct telpher_settle_options *options,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Moves the moment at which a delivery with an `ack_deadline_ms` is taken back: to `ms` from now,
// at most a day (86,400,000); 0 is the full `ack_deadline_ms` again. A delivery without one is not
// touched, and the ticket ends well. Never blocks. Any thread, also in a callback.
//
// - TELPHER_INVALID: over the limit; nothing was moved.
//
// The ticket may end with:
// - TELPHER_STALE: the delivery was settled before.
// - TELPHER_LEASE_LOST: the delivery was taken back. The message may be delivered again.
telpher_status telpher_extend(telpher_hub hub,
                              uint64_t delivery,
                              uint64_t ms,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Changes how many messages a consumer holds at once, 0 to 65,536; 0 pauses it. Never blocks. Any
// thread, also in a callback.
//
// - TELPHER_INVALID: over the limit; nothing was changed.
//
// The ticket may end with:
// - TELPHER_STALE: the consumer has ended, or there was none.
telpher_status telpher_credit(telpher_hub hub,
                              telpher_id consumer,
                              uint32_t prefetch,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Makes an empty batch. Sends and settlements are put into it, and then happen together, all or
// none, as one operation: telpher_batch_submit. It belongs to no handle, and may be filled and
// submitted again and again until telpher_batch_free. Any thread.
//
// - TELPHER_REFUSED: there are 268,435,455 batches, and no more can be.
telpher_status telpher_batch_new(telpher_batch *batch_out);

// Puts a send at the end of a batch; nothing is sent yet. The message is copied, or its body
// handed over, as by telpher_send. A batch has at most 1,024 parts, and at most 8 MiB (8,388,608
// bytes) of bodies, keys and headers. Any thread; of several at once, each adds its part.
//
// Of these errors the batch is as it was, and a body that was handed over is released:
// - TELPHER_INVALID: an argument is wrong, or the batch has 1,024 parts.
// - TELPHER_TOO_LARGE: the message, or the batch with it, is over a limit.
// - TELPHER_STALE: the batch was freed.
telpher_status telpher_batch_send(telpher_batch batch,
                                  const char *queue,
                                  const struct telpher_message *message);

// Puts a verdict on a delivery at the end of a batch, as telpher_settle says them; nothing is
// settled yet. `options` NULL: without a reason. A batch has at most 1,024 parts. Any thread; of
// several at once, each adds its part.
//
// Of these errors the batch is as it was:
// - TELPHER_INVALID: no such verdict, or the batch has 1,024 parts.
// - TELPHER_TOO_LARGE: the reason is too long.
// - TELPHER_STALE: the batch was freed.
telpher_status telpher_batch_settle(telpher_batch batch,
                                    uint64_t delivery,
                                    uint32_t verdict,
                                    const struct telpher_settle_options *options);

// Puts a publish at the end of a batch; nothing is published yet. It happens only if the batch
// does; then a subscriber may lose it like any other, and it is stored in the queues to which the
// topic is bound as a part of the batch. `message` as for telpher_publish. A batch has at most
// 1,024 parts, and 8 MiB of bodies, keys and headers. Any thread; of several at once, each adds
// its part.
//
// Of these errors the batch is as it was, and a body that was handed over is released:
// - TELPHER_INVALID: an argument is wrong, or the batch has 1,024 parts.
// - TELPHER_TOO_LARGE: a part of the message is over its limit, or the batch would be.
// - TELPHER_STALE: the batch was freed.
telpher_status telpher_batch_publish(telpher_batch batch,
                                     const char *topic,
                                     const struct telpher_message *message);

// Puts an append at the end of a batch; nothing is appended yet. `message` and `options` as for
// telpher_append, but that a part has no `timeout_ms` of its own, and `expect` goes with a stated
// partition or a key. Nothing is told of where the record is. A batch has at most 1,024 parts, and
// 8 MiB of bodies, keys and headers. Any thread; of several at once, each adds its part.
//
// Of these errors the batch is as it was, and a body that was handed over is released:
// - TELPHER_INVALID: an argument is wrong, or the batch has 1,024 parts.
// - TELPHER_TOO_LARGE: a part of the message is over its limit, or the batch would be.
// - TELPHER_STALE: the batch was freed.
telpher_status telpher_batch_append(telpher_batch batch,
                                    const char *stream,
                                    const struct telpher_message *message,
                                    const struct telpher_append_options *options);

// Puts a commit at the end of a batch, as telpher_commit says it; nothing is committed yet. A
// batch has at most 1,024 parts. Any thread; of several at once, each adds its part.
//
// Of these errors the batch is as it was:
// - TELPHER_INVALID: the batch has 1,024 parts.
// - TELPHER_STALE: the batch was freed.
telpher_status telpher_batch_commit(telpher_batch batch,
                                    telpher_id reader,
                                    uint32_t partition,
                                    uint64_t generation,
                                    uint64_t next);

// Starts all that is in a batch as one operation: everything in it happens, or nothing. Never
// blocks. `options` NULL: every default. Any thread, also in a callback.
//
// On TELPHER_OK the batch is empty, to be filled again or freed. The ticket ends with DONE when
// everything is as safe as the strongest durability among its queues and streams says: `receipts`
// has one receipt for each send, in the order in which they were put in.
//
// Of these errors nothing was started and the batch is as it was, so it may be submitted again:
// - TELPHER_INVALID: an argument is wrong, or the batch is empty.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
// - TELPHER_STALE: the batch was freed.
//
// The ticket may end with one of these: nothing in it happened, and what it was to settle is still
// held. A part at fault is named in `detail`, counted from 0: `"part 3 of the batch: ..."`.
// - TELPHER_NOT_FOUND: no queue or stream has this name.
// - TELPHER_FULL: a queue or stream, also one to which a topic is bound, has no room: that
//   refuses at once, also with TELPHER_OVERFLOW_WAIT. Likewise a subscriber of a topic with
//   TELPHER_TOPIC_OVERFLOW_WAIT. Or the disk was behind until the deadline.
// - TELPHER_STALE: a delivery was settled before, or twice in this batch.
// - TELPHER_LEASE_LOST: a delivery was taken back, or a partition that is committed has gone to
//   another member.
// - TELPHER_CONFLICT: another offset is next than an append expects.
// - TELPHER_UNSUPPORTED: a queue in memory and one that is not; they have no common commit.
// - TELPHER_NO_SPACE: a queue is on a disk that is full.
// - TELPHER_EXPIRED: it could not be sent in time.
//
// Or with one of these: all or nothing of it may have happened, as `maybe_executed` says:
// - TELPHER_CANCELLED, TELPHER_UNKNOWN_PRODUCER, TELPHER_HOST_LOST, TELPHER_HOST_UNRESPONSIVE,
//   TELPHER_CLOSED; TELPHER_INDETERMINATE if it only publishes, and nothing is bound.
telpher_status telpher_batch_submit(telpher_hub hub,
                                    telpher_batch batch,
                                    const struct telpher_batch_options *options,
                                    const struct telpher_done *done,
                                    telpher_id *id_out);

// Frees a batch. What is in it does not happen: nothing is sent, deliveries stay held, and bodies
// that were handed over are released. What was submitted goes on. 0 is fine. Any thread.
//
// - TELPHER_STALE: it was freed before.
telpher_status telpher_batch_free(telpher_batch batch);

// Starts to bind a pattern of topics to a queue, as telpher_subscribe takes patterns. Never
// blocks. From DONE on each message that is published to a topic that matches is stored in the
// queue, once however many of its patterns match, whether anybody is there or not. It carries a
// header `telpher.topic` with the topic's name. A binding lives as long as its queue. Binding what
// is bound changes nothing. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
//
// The ticket may end with one of these; nothing was bound:
// - TELPHER_NOT_FOUND: no queue has this name.
// - TELPHER_FULL: the queue has 256 patterns, or the hub 10,000; `detail` tells.
// - TELPHER_NO_SPACE: there is no room on disk for a binding.
telpher_status telpher_bind(telpher_hub hub,
                            const char *pattern,
                            const char *queue,
                            const struct telpher_done *done,
                            telpher_id *id_out);

// Starts to end a binding; what was stored because of it stays. Never blocks. Any thread, also in
// a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no queue has this name, or the pattern is not bound to it.
telpher_status telpher_unbind(telpher_hub hub,
                              const char *pattern,
                              const char *queue,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Starts to bind a pattern of topics to a stream, as telpher_bind does to a queue. Never blocks.
// From DONE on each message that is published to a topic that matches is appended to the stream,
// once: to the partition of its key, or without a key to any. It carries a header `telpher.topic`
// with the topic's name. A binding lives as long as its stream. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
//
// The ticket may end with one of these; nothing was bound:
// - TELPHER_NOT_FOUND: no stream has this name.
// - TELPHER_FULL: the stream has 256 patterns, or the hub 10,000; `detail` tells.
// - TELPHER_NO_SPACE: there is no room on disk for a binding.
telpher_status telpher_stream_bind(telpher_hub hub,
                                   const char *pattern,
                                   const char *stream,
                                   const struct telpher_done *done,
                                   telpher_id *id_out);

// Starts to end a binding to a stream; what was appended because of it stays. Never blocks. Any
// thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no stream has this name, or the pattern is not bound to it.
telpher_status telpher_stream_unbind(telpher_hub hub,
                                     const char *pattern,
                                     const char *stream,
                                     const struct telpher_done *done,
                                     telpher_id *id_out);

// Starts to give a message to whoever is subscribed to a topic that matches, at most once to each,
// and to store it in every queue and stream to which the topic is bound, in all or in none; see
// telpher_bind and telpher_stream_bind. Never blocks. The ticket ends with DONE when the hub has
// done so, and it is as safe as the safest of these queues and streams says. A topic is a name
// whose segments, between dots, are not empty; it need not be made. Any thread, also in a
// callback.
//
// Of these errors nothing was sent:
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
//
// The ticket may end with:
// - TELPHER_EXPIRED: the time ran out before the hub could do it: on the way, or as it waited for
//   a slow subscriber (see telpher_topic_declare). Nobody got it, and it was stored nowhere.
// - TELPHER_FULL: as many wait for slow subscribers of the topic as may; or a queue to which it is
//   bound is full, until the deadline if it makes senders wait; or such a stream keeps what is
//   unread, and has no room beside it; or the disk was behind until the deadline. Nothing was
//   stored anywhere, and nobody got it.
// - TELPHER_NO_SPACE: such a queue or stream is on a disk that is full; the same holds.
// - TELPHER_TOO_LARGE: it is more than such a queue or stream may hold, or than 32 MiB in all such
//   streams together, or its headers have no room for the topic's name; the same holds.
// - TELPHER_INVALID: it has no key, and such a stream keeps the latest record of each key; the
//   same holds.
// - TELPHER_INDETERMINATE: the hub has changed its host, which does not know whether the last one
//   had published it, and has not done it.
// - TELPHER_HOST_LOST: the session is gone; it may have been published.
// - TELPHER_HOST_UNRESPONSIVE, TELPHER_CLOSED: it may have been published, as `maybe_executed`
//   says.
telpher_status telpher_publish(telpher_hub hub,
                               const char *topic,
                               const struct telpher_message *message,
                               const struct telpher_publish_options *options,
                               const struct telpher_done *done,
                               telpher_id *id_out);

// Starts to take what is published to topics that match `pattern`: a topic's name in which `*`
// stands for one segment and `**` for any number of them, none included. Never blocks. At the
// destination come STARTED once, then a PUBLISHED for each message, until telpher_detach and its
// DONE. What is published after STARTED arrives. There is nothing to settle. Any thread, also in a
// callback.
//
// At most `buffer` messages, until they are 16 MiB, are on their way to the program that it has
// not taken by telpher_poll, telpher_wait or a callback. As many more wait in the hub. Whoever is
// slower than that loses the oldest, and gets a GAP before the next message; nobody else is slowed
// by it. Of topics that are declared so (telpher_topic_declare) it loses nothing, and publishers
// wait for it. What is on its way when the connection breaks is lost, too. Under another host the
// subscription goes on with the next number; what is published in between is not counted.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong, or nobody would see the messages.
//
// It may end with:
// - TELPHER_FULL: the session has as many consumers, services, subscribers and readers as it may:
//   4,096.
telpher_status telpher_subscribe(telpher_hub hub,
                                 const char *pattern,
                                 const struct telpher_subscribe_options *options,
                                 const struct telpher_done *done,
                                 telpher_id *id_out);

// Starts to say how the topics that match a pattern are, or to check that it is as stated;
// patterns as telpher_subscribe takes them. Never blocks. `options` NULL: every default, which is
// how topics are that nobody declares. Any thread, also in a callback.
//
// With TELPHER_TOPIC_OVERFLOW_WAIT in any declaration that matches a topic, a publish to it waits
// in line until every subscriber that matches has room in the hub for one more message (see
// telpher_subscribe); so none of them loses it for being slow. Meanwhile nobody has got it, and it
// is stored nowhere. Publishes to one topic go on in the order in which they came. A publish of a
// batch does not wait: without room in the hub the batch is TELPHER_FULL. Nor does a gather, whose
// request a slow subscriber may lose. A declaration outlives the hosts of a hub with a directory.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
//
// The ticket may end with one of these; nothing was declared:
// - TELPHER_MISMATCH: the pattern is declared otherwise; `detail` names the difference.
// - TELPHER_FULL: the hub has 10,000 declarations.
// - TELPHER_NO_SPACE: there is no room on disk for a declaration.
telpher_status telpher_topic_declare(telpher_hub hub,
                                     const char *pattern,
                                     const struct telpher_topic_options *options,
                                     const struct telpher_done *done,
                                     telpher_id *id_out);

// Starts to remove the declaration of a pattern. What waits in line because of it alone is
// published. Never blocks. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: the pattern is wrong. Nothing was sent.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: the same pattern is not declared.
telpher_status telpher_topic_delete(telpher_hub hub,
                                    const char *pattern,
                                    const struct telpher_done *done,
                                    telpher_id *id_out);

// Starts to look at the declaration of a pattern; DONE carries it as `topic_info`. Never blocks.
// Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: the pattern is wrong. Nothing was sent.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: the same pattern is not declared.
telpher_status telpher_topic_inspect(telpher_hub hub,
                                     const char *pattern,
                                     const struct telpher_done *done,
                                     telpher_id *id_out);

// Starts to list declarations of topics, in the order of their patterns: those behind `after`, or
// from the first if that is NULL. DONE carries `topics_count` of them: at most 256, and none only
// if there are no more. Never blocks. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: `after` can be no pattern. Nothing was sent.
telpher_status telpher_topic_list(telpher_hub hub,
                                  const char *after,
                                  const struct telpher_done *done,
                                  telpher_id *id_out);

// Starts to ask every instance of a service that is there now, or every subscriber of a topic, at
// most 4,096. Never blocks. At the destination comes an ANSWER for each that answers, with its
// `instance`, `instance_name` and `status`, then DONE: as TELPHER_OK when all have answered or
// can't any more, when `count` have answered, or at the end of its time. It says how many
// `answered` and `failed`, and in `missing` who did not answer, and why. What is still open then
// is taken back: the handler hears of it. An instance that is busy is asked when it has room.
// Without a subscriber it is empty. Any thread, also in a callback.
//
// Handlers answer as they answer a call. A subscriber answers the `token` of a PUBLISHED by
// telpher_reply, or does not.
//
// At most 64 MiB of answers wait to be taken by telpher_poll, telpher_wait or a callback; those
// beyond are lost, and their instances missing as TELPHER_LOST. telpher_detach cancels it.
//
// Of these errors nothing was sent:
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong, or nobody would see the answers.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
//
// It may end with:
// - TELPHER_NO_SERVICE, TELPHER_BUSY, TELPHER_TOO_LARGE, TELPHER_EXPIRED: nobody was asked.
// - TELPHER_HOST_UNRESPONSIVE, TELPHER_HOST_LOST, TELPHER_CANCELLED, TELPHER_CLOSED: as
//   `maybe_executed` says.
telpher_status telpher_gather(telpher_hub hub,
                              const char *to,
                              const struct telpher_message *message,
                              const struct telpher_gather_options *options,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Starts to say that the group of a reader has done its work in a partition up to `next`, the
// offset behind that of the last record done. `reader` is the id of a telpher_read with `group`,
// `partition` and `generation` are those of the RECORD. The ticket ends with DONE when the place
// is as safe as the stream's durability says. A place never goes back: one that the group has
// passed changes nothing. Never blocks. Any thread, also in a callback.
//
// The ticket may end with:
// - TELPHER_LEASE_LOST: another member has the partition by now, or the group was put elsewhere;
//   nothing was committed.
// - TELPHER_INVALID: the reader is in no group, or there is no such place; nothing was committed.
// - TELPHER_STALE: `reader` has ended; nothing was committed.
// - TELPHER_NO_SPACE: the stream is on a disk that is full; nothing was committed.
telpher_status telpher_commit(telpher_hub hub,
                              telpher_id reader,
                              uint32_t partition,
                              uint64_t generation,
                              uint64_t next,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Starts to list the reader groups of a stream, in the order of their names; DONE carries
// `groups_count` of them. Never blocks. Any thread, also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no stream has this name.
telpher_status telpher_group_list(telpher_hub hub,
                                  const char *stream,
                                  const struct telpher_done *done,
                                  telpher_id *id_out);

// Starts to put a reader group to another place, in one partition or in all of them. Its members
// go on there by themselves; what they have read before and commit later is refused with
// TELPHER_LEASE_LOST. `options` NULL: all partitions, to the beginning. Never blocks. Any thread,
// also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no stream has this name, or it has no such group.
// - TELPHER_OUT_OF_RANGE: the offset is not kept; nothing was changed.
// - TELPHER_INVALID: the stream has no such partition; nothing was changed.
// - TELPHER_NO_SPACE: the stream is on a disk that is full; nothing was changed.
telpher_status telpher_group_reset(telpher_hub hub,
                                   const char *stream,
                                   const char *group,
                                   const struct telpher_group_reset_options *options,
                                   const struct telpher_done *done,
                                   telpher_id *id_out);

// Starts to remove a reader group with its places. Its readers get DONE with TELPHER_NOT_FOUND.
// Never blocks. Any thread, also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no stream has this name, or it has no such group.
telpher_status telpher_group_delete(telpher_hub hub,
                                    const char *stream,
                                    const char *group,
                                    const struct telpher_done *done,
                                    telpher_id *id_out);

// Starts to make a stream, or to check that it is as stated. A stream is a log in partitions:
// records are appended at one end, each reader has a place of its own, and what the stream's
// limits do not keep is removed at the other end, read or not. Never blocks. `options` NULL: every
// default. Any thread, also in a callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
//
// The ticket may end with:
// - TELPHER_MISMATCH: the stream exists with other options; `detail` names the difference.
// - TELPHER_UNSUPPORTED: the hub has no such durability: a hub without a directory keeps streams
//   in memory only.
// - TELPHER_FULL: the hub has 100,000 streams, or 100,000 partitions of streams; none was made.
// - TELPHER_NO_SPACE: there is no room on disk for a stream; none was made.
telpher_status telpher_stream_declare(telpher_hub hub,
                                      const char *stream,
                                      const struct telpher_stream_options *options,
                                      const struct telpher_done *done,
                                      telpher_id *id_out);

// Starts to remove a stream with everything in it. Whoever reads it gets DONE with
// TELPHER_NOT_FOUND. Never blocks. Any thread, also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no stream has this name.
telpher_status telpher_stream_delete(telpher_hub hub,
                                     const char *stream,
                                     const struct telpher_done *done,
                                     telpher_id *id_out);

// Starts to read a stream's figures; DONE carries them as `stream_info`, without a name. Never
// blocks. Any thread, also in a callback.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no stream has this name.
telpher_status telpher_stream_inspect(telpher_hub hub,
                                      const char *stream,
                                      const struct telpher_done *done,
                                      telpher_id *id_out);

// Starts to list streams with their figures, in the order of their names: those behind `after`, or
// from the first if that is NULL. DONE carries `streams_count` of them, as many as fit into one
// answer: at most 256, and none only if there are no more. Never blocks. Any thread, also in a
// callback.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: `after` can be no name. Nothing was sent.
telpher_status telpher_stream_list(telpher_hub hub,
                                   const char *after,
                                   const struct telpher_done *done,
                                   telpher_id *id_out);

// Starts to append a record to a stream. Never blocks. The ticket ends with DONE when the record
// is as safe as the stream's durability says: `partition`, `offset` and `durability` tell. Records
// with the same key are in one partition, in the order in which they were started; those with
// neither key nor a stated partition may be in any. What is started while other records of its
// partition are on their way goes together with what follows. `options` NULL: every default. Any
// thread, also in a callback.
//
// Of these errors nothing was sent:
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
//
// The ticket may end with:
// - TELPHER_NOT_FOUND: no stream has this name; nothing was appended.
// - TELPHER_CONFLICT: another offset is next than `expect`; nothing was appended.
// - TELPHER_INVALID: the stream has no such partition, or an offset is expected of a stream with
//   several partitions without saying of which; nothing was appended.
// - TELPHER_TOO_LARGE: it is larger than a partition of this stream may be; nothing was appended.
// - TELPHER_MISMATCH: the stream was deleted and made anew with other partitions; nothing was
//   appended, and the next append will find that out by itself.
// - TELPHER_FULL: all that the hub keeps in memory is at its limit, or the disk was behind until
//   the deadline; nothing was appended.
// - TELPHER_EXPIRED: the time ran out before the hub could do it; nothing was appended.
// - TELPHER_NO_SPACE: the stream is on a disk that is full; nothing was appended.
// - TELPHER_UNKNOWN_PRODUCER, TELPHER_HOST_LOST, TELPHER_HOST_UNRESPONSIVE, TELPHER_CLOSED: it may
//   have been appended, as `maybe_executed` says.
telpher_status telpher_append(telpher_hub hub,
                              const char *stream,
                              const struct telpher_message *message,
                              const struct telpher_append_options *options,
                              const struct telpher_done *done,
                              telpher_id *id_out);

// Starts to read a stream. Never blocks. At the destination come STARTED once, then a RECORD for
// each record with `partition`, `offset`, `time_ms` and the message: each partition in its order,
// several of them in turns. Without `follow` the reader ends with DONE and TELPHER_OK behind what
// was there when it began; with it, what is appended later comes too, until telpher_detach and its
// DONE. There is nothing to settle, and no reader takes anything from another. `options` NULL: all
// that is there, from the beginning. Any thread, also in a callback.
//
// About `buffer` bytes of records are on their way to the program that it has not taken by
// telpher_poll, telpher_wait or a callback; a reader that is slower slows nobody, but the stream's
// limits may take what it has not read. It goes on by itself when the connection breaks or another
// host takes over; no record comes twice, and none is left out.
//
// With `group` the reader is a member of that reader group, which is made if it is new and then
// begins at `start`. The partitions are spread over the members; each goes on where the group has
// committed (telpher_commit), and follows. Records that were read and not committed come again, to
// whoever has the partition next. If the stream's limits take records that the group has not read,
// a TELPHER_EVENT_SKIPPED tells which, and it goes on behind them.
//
// With `key` or `headers` only records come that have these; the hub passes over the others. All
// members of a group should state the same: what one passes over counts as done for the group when
// every record that it got before is committed.
//
// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong, or nobody would see the records.
//
// It may end with:
// - TELPHER_NOT_FOUND: no stream has this name, or it was deleted, or its group was.
// - TELPHER_INVALID: the stream has no such partition.
// - TELPHER_OUT_OF_RANGE: the offset where it was to begin is not kept, or the stream's limits
//   have taken what was to be read next; `detail` tells which offsets the partition has.
// - TELPHER_CORRUPT: the hub's disk does not give what was appended; `detail` tells which offsets.
// - TELPHER_LEASE_LOST: nothing was committed for `max_processing_ms`; it may be read anew.
// - TELPHER_FULL: the session has as many consumers, services, subscribers and readers as it may:
//   4,096; or the stream has 1,024 groups, and this would be another one.
telpher_status telpher_read(telpher_hub hub,
                            const char *stream,
                            const struct telpher_read_options *options,
                            const struct telpher_done *done,
                            telpher_id *id_out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TELPHER_H */

/* A struct of this type with its size set and every other byte zero. */
#ifdef __cplusplus
template <typename telpher_type>
static inline telpher_type telpher_sized() {
    telpher_type made{};
    made.size = sizeof(telpher_type);
    return made;
}
#define TELPHER_SIZED(type) (telpher_sized<type>())
#else
#define TELPHER_SIZED(type) ((type){.size = sizeof(type)})
#endif

/* A telpher_message of a body alone, which is copied. In C its address may be taken:
 * telpher_send(hub, "jobs", &TELPHER_BODY(text, strlen(text)), NULL, NULL, &id); */
#ifdef __cplusplus
static inline telpher_message telpher_body(const void *body, size_t body_size) {
    telpher_message made = TELPHER_SIZED(telpher_message);
    made.body = body;
    made.body_size = body_size;
    return made;
}
#define TELPHER_BODY(bytes, bytes_size) (telpher_body((bytes), (bytes_size)))
#else
#define TELPHER_BODY(bytes, bytes_size) \
    ((telpher_message){.size = sizeof(telpher_message), .body = (bytes), .body_size = (bytes_size)})
#endif
