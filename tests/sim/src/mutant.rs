//! Planted bugs, between the machines and the model: each breaks one promise the way a real fault
//! would, and must be noticed. A model that notices nothing would pass every run.

use telpher_proto::base::{Command, Durability, Error, Event, Id, Kind, Message, Outcome, Receipt};
use telpher_proto::base::{Verdict, What};

use crate::model::Start;
use crate::plan::Plan;
use crate::random::Random;

/// Ids from here on belong to operations that no program knows of.
pub const HIDDEN: Id = 1 << 40;

macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $mutant:ident = $name:literal;)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant { $($(#[doc = $doc])+ $mutant,)+ }

        impl Mutant {
            /// Every one.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$mutant,)+];

            /// How it is called on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Mutant::$mutant => $name,)+ }
            }
        }
    };
}

mutants! {
    /// Some tickets never end.
    EndLost = "end-lost";
    /// Some tickets end twice.
    EndTwice = "end-twice";
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
        }
    }

    /// True if this bug is planted.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Sees to it that the bug has an occasion.
    pub fn prepare(&self, plan: &mut Plan) {
        if self.is(Mutant::ForgetfulHost) {
            plan.faults_ms[3] = 500;
        }
    }

    fn hide(&mut self, command: Command) {
        self.next_id += 1;
        self.hidden.push((self.next_id, command));
    }

    /// What a program starts passes here; `None` if it never reaches its client.
    pub fn command(&mut self, start: &Start, mut command: Command) -> Option<Command> {
        let Some(mutant) = self.mutant else { return Some(command) };
        match (mutant, &mut command) {
            (Mutant::SendTwice, Command::Send { .. })
            | (Mutant::RunTwice, Command::Call { .. })
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
            (Mutant::MoreAtOnce, Command::Serve { concurrency, .. }) => *concurrency += 1,
            (Mutant::QueueTooLong, Command::Declare { options, .. }) => options.length_max *= 2,
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
        match (mutant, event.what) {
            (Mutant::EndLost, What::Done(_)) if seldom => Vec::new(),
            (Mutant::EndTwice, What::Done(result)) if seldom => {
                let event = Event { what: What::Done(result), ..event };
                vec![event.clone(), event]
            }
            (Mutant::DeliveryLost, What::Delivery(delivery)) if seldom => {
                let verdict = Verdict::Acknowledge;
                self.hide(Command::Settle { delivery: delivery.token, verdict });
                Vec::new()
            }
            (Mutant::TwoHolders, What::Delivery(delivery)) if seldom => {
                let verdict = Verdict::Release;
                self.hide(Command::Settle { delivery: delivery.token, verdict });
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
