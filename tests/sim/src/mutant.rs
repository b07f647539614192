//! Planted bugs, between the machines and the model: each breaks one promise the way a real fault
//! would, and must be noticed. A model that notices nothing would pass every run.

use bytes::Bytes;
use telpher_proto::base::record::{Mark, Record};
use telpher_proto::base::{
    Appended, Command, Durability, Error, Event, Id, Kind, Message, Outcome, Part, Receipt,
    TopicOptions,
};
use telpher_proto::base::{Verdict, What};

use crate::mangled::{forget, gather_event, stream_record, unmark};
use crate::model::Start;
use crate::plan::Plan;
use crate::random::Random;

/// Ids from here on belong to operations that no program knows of.
pub const HIDDEN: Id = 1 << 40;

macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $mutant:ident = $name:literal;)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            /// None at all, though everything is done for one.
            Harmless,
            $($(#[doc = $doc])+ $mutant,)+
        }

        impl Mutant {
            /// Every one.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$mutant,)+];

            /// How it is called on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    Mutant::Harmless => "harmless",
                    $(Mutant::$mutant => $name,)+
                }
            }
        }
    };
}

mutants! {
    /// Some tickets never end.
    EndLost = "end-lost";
    /// Some tickets end twice.
    EndTwice = "end-twice";
    /// Where changes are confirmed together, one too many is.
    ConfirmedTooMany = "confirmed-too-many";
    /// Some sends are stored twice.
    SendTwice = "send-twice";
    /// Some sends are confirmed and never stored.
    SendUnstored = "send-unstored";
    /// An acknowledged message stays in its queue.
    AcknowledgementForgotten = "acknowledgement-forgotten";
    /// A message that is to be tried again leaves its queue.
    ReleaseTakes = "release-takes";
    /// Some messages are taken before anybody has seen them.
    DeliveryLost = "delivery-lost";
    /// A message goes to the next consumer though somebody holds it.
    TwoHolders = "two-holders";
    /// Some deliveries change places.
    OrderSwapped = "order-swapped";
    /// Some calls run twice.
    RunTwice = "run-twice";
    /// Some replies go to another call.
    RepliesSwapped = "replies-swapped";
    /// A call whose handler runs is said not to have run.
    RunningDenied = "running-denied";
    /// A service is given more requests at once than it said.
    MoreAtOnce = "more-at-once";
    /// A queue takes more than its limit.
    QueueTooLong = "queue-too-long";
    /// A host starts afresh and says that it is the old one.
    ForgetfulHost = "forgetful-host";
    /// What is written is said to be durable.
    ConfirmedUnsynced = "confirmed-unsynced";
    /// What is to be written is said to be durable.
    ConfirmedUnwritten = "confirmed-unwritten";
    /// A sync that failed is passed over.
    FailedSyncIgnored = "failed-sync-ignored";
    /// A recovered tail is not made durable before the host serves.
    TailNotSynced = "tail-not-synced";
    /// Recovery drops the last records though they are whole.
    TailDropped = "tail-dropped";
    /// A segment is removed one too early.
    FreedEarly = "freed-early";
    /// What was put into a stream file counts before it is durable.
    FiledUnsynced = "filed-unsynced";
    /// A stream file is removed when the next one begins.
    StreamFileFreedEarly = "stream-file-freed-early";
    /// A segment that is to be put aside is removed.
    AsideRemoved = "aside-removed";
    /// A segment that is put aside is cut off in the middle.
    AsideCut = "aside-cut";
    /// Recovery loses some acknowledgements.
    SettlementLost = "settlement-lost";
    /// Recovery loses what producers have done.
    MarksLost = "marks-lost";
    /// Recovery applies a batch by half.
    BatchHalved = "batch-halved";
    /// A message gets the id of another one.
    IdReused = "id-reused";
    /// A dead letter leaves its queue and never reaches the other one.
    DeadLetterLost = "dead-letter-lost";
    /// Recovery forgets failed attempts.
    AttemptsForgotten = "attempts-forgotten";
    /// Recovery forgets bindings.
    BindingLost = "binding-lost";
    /// Recovery forgets which topics make publishers wait.
    DeclarationLost = "declaration-lost";
    /// Recovery loses what is stored where a topic is bound.
    CopyLost = "copy-lost";
    /// Recovery loses what is appended where a topic is bound.
    BoundLost = "bound-record-lost";
    /// Recovery loses that something was published.
    PublishMarkLost = "publish-mark-lost";
    /// Messages are handed out before that is written down.
    DeliveryUnwritten = "delivery-unwritten";
    /// One part of a batch is not done.
    PartLost = "part-lost";
    /// Some messages are said to be published and are not.
    PublishUnsent = "publish-unsent";
    /// Nobody waits for slow subscribers.
    WaitIgnored = "wait-ignored";
    /// A subscriber is not told what it has lost.
    GapUntold = "gap-untold";
    /// Some messages come to a subscriber twice.
    PublishedTwice = "published-twice";
    /// Some are asked twice by a gather.
    AskedTwice = "asked-twice";
    /// Some answers to gathers come twice.
    AnswerTwice = "answer-twice";
    /// Some answers to gathers never come.
    AnswerLost = "answer-lost";
    /// Who was asked by a gather and did not answer is said not to have been asked.
    MissingDenied = "missing-denied";
    /// Answers to gathers come without what the instance calls itself.
    AnswerNameless = "answer-nameless";
    /// Who did not answer is told without that.
    MissingNameless = "missing-nameless";
    /// Some records are appended twice.
    AppendTwice = "append-twice";
    /// Some appends are confirmed and never stored.
    AppendUnstored = "append-unstored";
    /// Some appends are said to be one offset further.
    OffsetWrong = "offset-wrong";
    /// An append does not look at the offset that it expects.
    ExpectIgnored = "expect-ignored";
    /// Some records never come to a reader.
    RecordLost = "record-lost";
    /// Some records never come to the members of groups.
    MemberRecordLost = "member-record-lost";
    /// Members of a group are given what they have not asked for.
    MemberKeyIgnored = "member-key-ignored";
    /// Some records come to a reader twice.
    RecordTwice = "record-twice";
    /// Records of one producer change places.
    RecordsSwapped = "records-swapped";
    /// A reader that the limits have overtaken just ends.
    OverrunSilent = "overrun-silent";
    /// A reader that follows stops with what is there.
    FollowStops = "follow-stops";
    /// A stream keeps fewer records than it says.
    KeepsLess = "keeps-less";
    /// Recovery loses some records of streams.
    AppendedLost = "appended-lost";
    /// Recovery gives an offset to the record of another append.
    OffsetReused = "offset-reused";
    /// Recovery removes more of a stream than was removed.
    TrimmedMore = "trimmed-more";
    /// Compaction forgets the last record that it was to keep.
    LatestCompacted = "latest-compacted";
    /// Recovery forgets where reader groups have got to.
    PlacesLost = "places-lost";
    /// Recovery puts reader groups behind a record that nobody has processed.
    PlacesAhead = "places-ahead";
    /// Recovery forgets who was given partitions: an assignment is given twice.
    AssignmentsLost = "assignments-lost";
    /// What is handed over of streams in memory is lost.
    HandedOverLost = "handed-over-lost";
    /// Recovery forgets what producers have appended.
    AppendMarksLost = "append-marks-lost";
}

fn settle(delivery: u64, verdict: Verdict) -> Command {
    Command::Settle { delivery, verdict, reason: String::new() }
}

/// Plants one bug, or none.
#[derive(Debug)]
pub struct Mischief {
    mutant: Option<Mutant>,
    random: Random,
    next_id: Id,
    /// Operations to be started behind the program's back.
    pub hidden: Vec<(Id, Command)>,
    /// Events that no machine has told.
    untold: Vec<(usize, Event)>,
    held_back: Option<(usize, Event)>,
    reply: Option<Message>,
    message_id: u64,
    batch: Bytes,
    /// How safe records are.
    level: Durability,
}

impl Mischief {
    /// Plants `mutant`.
    pub fn new(mutant: Option<Mutant>, seed: u64) -> Mischief {
        Mischief {
            mutant,
            random: Random::new(!seed),
            next_id: HIDDEN,
            hidden: Vec::new(),
            untold: Vec::new(),
            held_back: None,
            reply: None,
            message_id: 0,
            batch: Bytes::new(),
            level: Durability::Memory,
        }
    }

    /// True if this bug is planted.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Sees to it that the bug has an occasion.
    pub fn prepare(&mut self, plan: &mut Plan) {
        self.level = plan.streams[0].durability();
        if self.is(Mutant::HandedOverLost) && plan.directory {
            plan.faults_ms[6] = 500;
            plan.keep_all(Durability::Memory);
        }
        if self.is(Mutant::PlacesAhead) && plan.directory {
            plan.keep_all(Durability::Os);
        }
        if self.is(Mutant::AppendUnstored) {
            plan.streams.truncate(1);
        }
        if self.is(Mutant::ForgetfulHost) {
            plan.faults_ms[3] = 500;
        }
        if self.mutant.is_some_and(|mutant| mutant >= Mutant::ConfirmedUnsynced) {
            plan.faults_ms[3] = plan.faults_ms[3].clamp(400, 1_000);
            plan.faults_ms[5] = plan.faults_ms[5].clamp(400, 1_000);
        }
        if self.is(Mutant::FailedSyncIgnored) {
            plan.faults_ms[7] = 300;
        }
    }

    /// True if the past is to be another one.
    pub fn changes_history(&self) -> bool {
        self.mutant.is_some_and(|mutant| {
            mutant == Mutant::Harmless
                || (Mutant::SettlementLost..=Mutant::DeliveryUnwritten).contains(&mutant)
                || mutant >= Mutant::AppendedLost
        })
    }

    /// A record as a new host finds it; `None` if it does not.
    pub fn record(&mut self, mut record: Record) -> Option<Record> {
        let mutant = self.mutant?;
        let often = self.random.chance(60);
        match (mutant, &mut record) {
            (Mutant::SettlementLost, Record::Settled { settled, .. }) if often => {
                let taken = settled.verdict == Verdict::Acknowledge;
                return (!taken).then_some(record);
            }
            (Mutant::MarksLost, marked) => unmark(marked),
            (Mutant::BatchHalved, Record::Batch { sent, settled, .. }) if sent.len() > 1 => {
                sent.truncate(1);
                settled.clear();
            }
            (Mutant::IdReused, Record::Sent { sent, .. }) => {
                let before = std::mem::replace(&mut self.message_id, sent.message_id);
                if before != 0 && self.random.chance(10) {
                    sent.message_id = before;
                }
            }
            (Mutant::DeadLetterLost, Record::Settled { settled, .. }) if settled.dead.is_some() => {
                settled.dead = None;
                settled.verdict = Verdict::Acknowledge;
            }
            (Mutant::AttemptsForgotten, Record::Settled { settled, .. }) => forget(settled),
            (Mutant::DeliveryUnwritten, Record::Delivered(_)) if often => return None,
            (Mutant::BindingLost, Record::Bound { .. }) => return None,
            (Mutant::DeclarationLost, Record::Topic { .. }) => return None,
            (Mutant::CopyLost, Record::Published { copies, .. }) if often => copies.places.clear(),
            (Mutant::BoundLost, Record::Published { appended, .. }) if often => appended.clear(),
            (Mutant::PublishMarkLost, Record::Published { change, .. }) => *change = None,
            (Mutant::PublishMarkLost, Record::Session(state)) => {
                state.marks.retain(|(_, mark)| !matches!(mark, Mark::Stored(_)));
            }
            _ => return stream_record(&mut self.batch, record, mutant, often),
        }
        Some(record)
    }

    fn hide(&mut self, command: Command) {
        self.next_id += 1;
        self.hidden.push((self.next_id, command));
    }

    /// What a program starts passes here; `None` if it never reaches its client.
    pub fn command(&mut self, start: &Start, mut command: Command) -> Option<Command> {
        let Some(mutant) = self.mutant else { return Some(command) };
        if mutant >= Mutant::AppendTwice {
            return self.stream_command(start, command, mutant);
        }
        match (mutant, &mut command) {
            (Mutant::SendTwice, Command::Send { .. })
            | (Mutant::RunTwice, Command::Call { .. })
            | (Mutant::AskedTwice, Command::Gather { .. })
                if self.random.chance(20) =>
            {
                self.hide(command.clone());
            }
            (Mutant::SendUnstored, Command::Send { .. }) if self.random.chance(10) => {
                let receipt =
                    Receipt { message_id: u64::MAX - start.id, durability: Durability::Memory };
                let what = What::Done(Ok(Outcome::Receipt(receipt)));
                let event = Event { id: start.id, user: start.user, what };
                self.untold.push((start.who.slot, event));
                return None;
            }
            (Mutant::PublishUnsent, Command::Publish { .. }) if self.random.chance(10) => {
                let what = What::Done(Ok(Outcome::Empty));
                let event = Event { id: start.id, user: start.user, what };
                self.untold.push((start.who.slot, event));
                return None;
            }
            (Mutant::AcknowledgementForgotten, Command::Settle { verdict, .. })
                if *verdict == Verdict::Acknowledge =>
            {
                *verdict = Verdict::Release;
            }
            (Mutant::ReleaseTakes, Command::Settle { verdict, .. })
                if *verdict == Verdict::Release =>
            {
                *verdict = Verdict::Acknowledge;
            }
            (Mutant::PartLost, Command::Batch { parts }) if parts.len() > 1 => {
                if matches!(parts.last(), Some(Part::Settle { .. })) {
                    parts.pop();
                }
            }
            (Mutant::WaitIgnored, Command::DeclareTopic { options, .. }) => {
                *options = TopicOptions::default();
            }
            (Mutant::MoreAtOnce, Command::Serve { concurrency, .. }) => *concurrency += 1,
            (Mutant::QueueTooLong, Command::Declare { options, .. }) => options.length_max *= 2,
            _ => {}
        }
        Some(command)
    }

    /// The same for bugs of streams.
    fn stream_command(
        &mut self,
        start: &Start,
        mut command: Command,
        mutant: Mutant,
    ) -> Option<Command> {
        match (mutant, &mut command) {
            (Mutant::AppendTwice, Command::Append { expect: None, .. })
                if self.random.chance(20) =>
            {
                self.hide(command.clone());
            }
            (Mutant::AppendUnstored, Command::Append { partition, expect: None, .. })
                if self.random.chance(10) =>
            {
                // Where nobody else is yet.
                let (partition, offset) = (partition.unwrap_or(0), 1_000_000 + start.id);
                let durability = self.level;
                let appended = Appended { partition, offset, durability };
                let what = What::Done(Ok(Outcome::Appended(appended)));
                let event = Event { id: start.id, user: start.user, what };
                self.untold.push((start.who.slot, event));
                return None;
            }
            (Mutant::ExpectIgnored, Command::Append { expect, .. }) => *expect = None,
            (Mutant::MemberKeyIgnored, Command::Read { reading, .. }) => {
                reading.key = reading.key.take().filter(|_| reading.group.is_none());
            }
            (Mutant::FollowStops, Command::Read { reading, .. }) => reading.follow = false,
            (Mutant::KeepsLess, Command::DeclareStream { options, .. }) => {
                options.records_max = options.records_max.div_ceil(2).max(1);
            }
            _ => {}
        }
        Some(command)
    }

    /// An event that no machine has told.
    pub fn made_up(&mut self, slot: usize) -> Option<Event> {
        let place = self.untold.iter().position(|(of, _)| *of == slot)?;
        Some(self.untold.remove(place).1)
    }

    /// What a program is told passes here.
    pub fn event(&mut self, slot: usize, event: Event) -> Vec<Event> {
        let Some(mutant) = self.mutant else { return vec![event] };
        let seldom = self.random.chance(20);
        if (Mutant::OffsetWrong..=Mutant::OverrunSilent).contains(&mutant) {
            return self.stream_event(slot, event, (mutant, seldom));
        }
        if (Mutant::AskedTwice..=Mutant::MissingNameless).contains(&mutant) {
            return gather_event(event, (mutant, seldom));
        }
        match (mutant, event.what) {
            (Mutant::EndLost, What::Done(_)) if seldom => Vec::new(),
            (Mutant::EndTwice, What::Done(result)) if seldom => {
                let event = Event { what: What::Done(result), ..event };
                vec![event.clone(), event]
            }
            (Mutant::GapUntold, What::Gap { .. }) => Vec::new(),
            (Mutant::PublishedTwice, What::Published(published)) if seldom => {
                let event = Event { what: What::Published(published), ..event };
                vec![event.clone(), event]
            }
            (Mutant::DeliveryLost, What::Delivery(delivery)) if seldom => {
                self.hide(settle(delivery.token, Verdict::Acknowledge));
                Vec::new()
            }
            (Mutant::TwoHolders, What::Delivery(delivery)) if seldom => {
                self.hide(settle(delivery.token, Verdict::Release));
                vec![Event { what: What::Delivery(delivery), ..event }]
            }
            (Mutant::OrderSwapped, What::Delivery(delivery)) => {
                let event = Event { what: What::Delivery(delivery), ..event };
                self.swap(slot, event, seldom)
            }
            (Mutant::RepliesSwapped, What::Done(Ok(Outcome::Reply(reply)))) => {
                let other = self.reply.replace(reply.clone()).unwrap_or(reply);
                vec![Event { what: What::Done(Ok(Outcome::Reply(other))), ..event }]
            }
            (Mutant::RunningDenied, What::Done(Err(error))) if error.kind() == Kind::TimedOut => {
                let error = Error::new(Kind::Expired, "");
                vec![Event { what: What::Done(Err(error)), ..event }]
            }
            (_, what) => vec![Event { what, ..event }],
        }
    }

    /// The same for bugs of streams.
    fn stream_event(
        &mut self,
        slot: usize,
        event: Event,
        (mutant, seldom): (Mutant, bool),
    ) -> Vec<Event> {
        match (mutant, event.what) {
            (Mutant::RecordLost, What::Record(_)) if seldom => Vec::new(),
            (Mutant::MemberRecordLost, What::Record(record)) => {
                let is_lost = seldom && record.generation > 0;
                let event = Event { what: What::Record(record), ..event };
                (!is_lost).then_some(event).into_iter().collect()
            }
            (Mutant::RecordTwice, What::Record(record)) if seldom => {
                let event = Event { what: What::Record(record), ..event };
                vec![event.clone(), event]
            }
            (Mutant::RecordsSwapped, What::Record(record)) => {
                let event = Event { what: What::Record(record), ..event };
                self.swap(slot, event, seldom)
            }
            (Mutant::OffsetWrong, What::Done(Ok(Outcome::Appended(appended)))) if seldom => {
                let further = Appended { offset: appended.offset + 1, ..appended };
                vec![Event { what: What::Done(Ok(Outcome::Appended(further))), ..event }]
            }
            (Mutant::OverrunSilent, What::Done(Err(error))) if error.kind() == Kind::OutOfRange => {
                vec![Event { what: What::Done(Ok(Outcome::Empty)), ..event }]
            }
            (_, what) => vec![Event { what, ..event }],
        }
    }

    /// Holds an event back until the next one of its program.
    fn swap(&mut self, slot: usize, event: Event, seldom: bool) -> Vec<Event> {
        match self.held_back.take() {
            Some((of, earlier)) if of == slot => vec![event, earlier],
            None if seldom => {
                self.held_back = Some((slot, event));
                Vec::new()
            }
            other => {
                self.held_back = other;
                vec![event]
            }
        }
    }
}
