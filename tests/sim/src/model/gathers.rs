//! Of a gather: each is asked at most once, each answer comes once and is the handler's, and the
//! summary adds up, also with who has run.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{Answer, Error, Gathered, Id, Outcome, Reply};

use super::{Verdict, ensure};
use crate::agenda::Who;

#[derive(Debug, Default)]
pub struct Gathering {
    asked: BTreeSet<(Who, Id)>,
    /// What handlers have said and nobody has heard yet.
    replies: Vec<Reply>,
    heard: BTreeSet<u64>,
    answered: u32,
    failed: u32,
    /// How many may have run, once its end has said so.
    run_max: Option<usize>,
}

impl Gathering {
    /// An instance or subscriber is asked.
    pub(super) fn ask(&mut self, who: Who, id: Id) -> Verdict {
        ensure(self.asked.insert((who, id)), || "it was asked this before".into())?;
        let count = self.asked.len();
        ensure(self.run_max.is_none_or(|most| count <= most), || {
            format!("{count} are asked, and of at most {:?} it was said", self.run_max)
        })
    }

    /// A handler answers.
    pub(super) fn reply(&mut self, reply: &Reply) {
        self.replies.push(reply.clone());
    }

    /// An answer comes.
    pub(super) fn answer(&mut self, answer: &Answer) -> Verdict {
        let of = |reply: &Reply| *reply == answer.reply;
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
    pub(super) fn end(&mut self, end: &Gathered, count: u32) -> Verdict {
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
