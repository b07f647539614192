//! Of a gather: each is asked at most once, each answer comes once and is the handler's, under the
//! name that it has stated, and the summary adds up, also with who has run.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{
    Answer, Command, Error, GatherTo, Gathered, Id, Name, Outcome, Pattern, Reply,
};

use super::topics::matches;
use super::{Start, Verdict, ensure};
use crate::agenda::Who;

/// What instances and subscribers call themselves.
#[derive(Debug, Default)]
pub struct Names {
    /// What each has stated, also beyond its end.
    stated: BTreeMap<(Who, Id), Stated>,
    /// What the hub has said of each number.
    told: BTreeMap<u64, Option<Name>>,
}

#[derive(Debug)]
struct Stated {
    of: Of,
    name: Option<Name>,
}

#[derive(Debug)]
enum Of {
    Service(Name),
    Pattern(Pattern),
}

impl Of {
    fn is_asked(&self, to: &GatherTo) -> bool {
        match (self, to) {
            (Of::Service(service), GatherTo::Service(asked)) => service == asked,
            (Of::Pattern(pattern), GatherTo::Topic(topic)) => {
                let pattern: Vec<&str> = pattern.as_str().split('.').collect();
                let topic: Vec<&str> = topic.as_str().split('.').collect();
                matches(&pattern, &topic)
            }
            _ => false,
        }
    }
}

impl Names {
    pub(super) fn start(&mut self, start: &Start, command: &Command) {
        let (of, name) = match command {
            Command::Serve { service, instance_name, .. } => {
                (Of::Service(service.clone()), instance_name)
            }
            Command::Subscribe { pattern, instance_name, .. } => {
                (Of::Pattern(pattern.clone()), instance_name)
            }
            _ => return,
        };
        let stated = Stated { of, name: name.clone() };
        self.stated.insert((start.who, start.id), stated);
    }

    /// What an instance or subscriber of a program has stated.
    pub(super) fn of(&self, who: Who, id: Id) -> Option<Name> {
        self.stated.get(&(who, id)).and_then(|stated| stated.name.clone())
    }

    /// The hub says what one calls itself that was asked.
    pub(super) fn told(&mut self, to: &GatherTo, number: u64, name: &Option<Name>) -> Verdict {
        let before = self.told.entry(number).or_insert_with(|| name.clone());
        ensure(before == name, || format!("{number} called itself {before:?} before"))?;
        let mut asked = self.stated.values().filter(|stated| stated.of.is_asked(to));
        ensure(asked.any(|stated| stated.name == *name), || {
            format!("nobody that {to:?} asks calls itself {name:?}")
        })
    }
}

#[derive(Debug)]
pub struct Gathering {
    to: GatherTo,
    asked: BTreeSet<(Who, Id)>,
    /// What handlers have said and nobody has heard yet.
    replies: Vec<(Reply, Option<Name>)>,
    heard: BTreeSet<u64>,
    answered: u32,
    failed: u32,
    /// How many may have run, once its end has said so.
    run_max: Option<usize>,
}

impl Gathering {
    pub(super) fn new(to: GatherTo) -> Gathering {
        Gathering {
            to,
            asked: BTreeSet::new(),
            replies: Vec::new(),
            heard: BTreeSet::new(),
            answered: 0,
            failed: 0,
            run_max: None,
        }
    }

    /// An instance or subscriber is asked.
    pub(super) fn ask(&mut self, who: Who, id: Id) -> Verdict {
        ensure(self.asked.insert((who, id)), || "it was asked this before".into())?;
        let count = self.asked.len();
        ensure(self.run_max.is_none_or(|most| count <= most), || {
            format!("{count} are asked, and of at most {:?} it was said", self.run_max)
        })
    }

    /// A handler answers, under this name.
    pub(super) fn reply(&mut self, reply: &Reply, name: Option<Name>) {
        self.replies.push((reply.clone(), name));
    }

    /// An answer comes.
    pub(super) fn answer(&mut self, answer: &Answer, names: &mut Names) -> Verdict {
        names.told(&self.to, answer.instance, &answer.instance_name)?;
        let of = |said: &(Reply, _)| said.0 == answer.reply && said.1 == answer.instance_name;
        let said = self.replies.iter().position(of);
        let said = said.ok_or_else(|| format!("handlers said {:?}", self.replies))?;
        drop(self.replies.remove(said));
        ensure(self.heard.insert(answer.instance), || "it has answered before".into())?;
        match answer.reply {
            Ok(_) => self.answered += 1,
            Err(_) => self.failed += 1,
        }
        Ok(())
    }

    /// It has ended well.
    pub(super) fn end(&mut self, end: &Gathered, count: u32, names: &mut Names) -> Verdict {
        for missing in &end.missing {
            names.told(&self.to, missing.instance, &missing.instance_name)?;
        }
        let heard = (self.answered, self.failed);
        ensure((end.answered, end.failed) == heard, || format!("{heard:?} have been heard"))?;
        let missing: BTreeSet<u64> = end.missing.iter().map(|one| one.instance).collect();
        let is_whole = missing.len() == end.missing.len() && missing.is_disjoint(&self.heard);
        ensure(is_whole, || "somebody is missing twice, or has answered".into())?;
        ensure(count == 0 || end.answered <= count, || format!("{count} were enough"))?;
        let maybe = end.missing.iter().filter(|one| one.error.maybe_executed()).count();
        let most = self.heard.len() + maybe;
        self.run_max = Some(most);
        let asked = self.asked.len();
        ensure(asked <= most, || format!("{asked} were asked, and {most} are said to be"))
    }
}

/// Counts who did not answer, by why.
pub(super) fn count_missing(counts: &mut BTreeMap<String, u64>, result: &Result<Outcome, Error>) {
    let Ok(Outcome::Gathered(end)) = result else { return };
    for missing in &end.missing {
        *counts.entry(format!("missing {}", missing.error.kind().name())).or_default() += 1;
    }
}
