//! Which subscriptions a topic's name matches.
//!
//! ```text
//! a.*.c and a.**:   root -- a -- * -- c  (subscriptions)
//!                             \- **      (subscriptions)
//! ```
//! A name goes down segment by segment, along all paths that still match at once. What does not
//! match costs nothing, and no node is visited twice for one segment, whatever the patterns are.
//!
//! Floor: broker.

use slab::Slab;

use super::Map;
use crate::base::pattern::{Pattern, segments};

#[derive(Debug, Default)]
struct Node {
    parent: usize,
    /// The segment that leads here.
    segment: Box<str>,
    children: Map<Box<str>, usize>,
    /// The child for `*`.
    one: Option<usize>,
    /// The child for `**`, which stays where it is with each segment.
    any: Option<usize>,
    subscriptions: Vec<usize>,
    /// The last step in which it was found, so that it is found once.
    seen: u64,
}

/// Patterns, each with its subscriptions.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Slab<Node>,
    root: usize,
    steps: u64,
    /// Reused room: the nodes that match so far, and those that do with one segment more.
    here: Vec<usize>,
    next: Vec<usize>,
}

impl Default for Trie {
    fn default() -> Trie {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::default());
        Trie { nodes, root, steps: 0, here: Vec::new(), next: Vec::new() }
    }
}

impl Trie {
    pub fn insert(&mut self, pattern: &Pattern, subscription: usize) {
        let mut at = self.root;
        for segment in pattern.segments() {
            at = match self.child(at, segment) {
                Some(child) => child,
                None => self.grow(at, segment),
            };
        }
        self.nodes[at].subscriptions.push(subscription);
    }

    pub fn remove(&mut self, pattern: &Pattern, subscription: usize) {
        let mut at = self.root;
        for segment in pattern.segments() {
            let Some(child) = self.child(at, segment) else { return };
            at = child;
        }
        self.nodes[at].subscriptions.retain(|other| *other != subscription);
        while at != self.root && self.nodes[at].is_bare() {
            let Node { parent, segment, .. } = self.nodes.remove(at);
            let parent_node = &mut self.nodes[parent];
            match &*segment {
                "*" => parent_node.one = None,
                "**" => parent_node.any = None,
                _ => drop(parent_node.children.remove(&segment)),
            }
            at = parent;
        }
    }

    fn child(&self, at: usize, segment: &str) -> Option<usize> {
        let node = &self.nodes[at];
        match segment {
            "*" => node.one,
            "**" => node.any,
            _ => node.children.get(segment).copied(),
        }
    }

    fn grow(&mut self, parent: usize, segment: &str) -> usize {
        let child = self.nodes.insert(Node { parent, segment: segment.into(), ..Node::default() });
        let node = &mut self.nodes[parent];
        match segment {
            "*" => node.one = Some(child),
            "**" => node.any = Some(child),
            _ => drop(node.children.insert(segment.into(), child)),
        }
        child
    }

    /// Adds the subscriptions that a topic matches, each once.
    pub fn matches(&mut self, topic: &str, found: &mut Vec<usize>) {
        self.here.clear();
        self.steps += 1;
        Self::reach(&mut self.nodes, self.steps, self.root, &mut self.here);
        for segment in segments(topic) {
            self.steps += 1;
            for at in self.here.drain(..) {
                let node = &self.nodes[at];
                let stays = (&*node.segment == "**").then_some(at);
                let child = node.children.get(segment).copied();
                for to in [stays, child, node.one].into_iter().flatten() {
                    Self::reach(&mut self.nodes, self.steps, to, &mut self.next);
                }
            }
            std::mem::swap(&mut self.here, &mut self.next);
        }
        for at in &self.here {
            found.extend_from_slice(&self.nodes[*at].subscriptions);
        }
    }

    /// A node matches, and with it each `**` behind it, which may stand for nothing.
    fn reach(nodes: &mut Slab<Node>, step: u64, mut at: usize, reached: &mut Vec<usize>) {
        loop {
            let node = &mut nodes[at];
            if std::mem::replace(&mut node.seen, step) == step {
                return;
            }
            reached.push(at);
            match node.any {
                Some(any) => at = any,
                None => return,
            }
        }
    }
}

impl Node {
    fn is_bare(&self) -> bool {
        self.subscriptions.is_empty()
            && self.children.is_empty()
            && self.one.is_none()
            && self.any.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    /// Whether a topic matches, the slow way.
    fn is_match(pattern: &[&str], topic: &[&str]) -> bool {
        match (pattern.first(), topic.first()) {
            (None, None) => true,
            (Some(&"**"), _) => {
                is_match(&pattern[1..], topic)
                    || (!topic.is_empty() && is_match(pattern, &topic[1..]))
            }
            (Some(&"*"), Some(_)) => is_match(&pattern[1..], &topic[1..]),
            (Some(of), Some(is)) => of == is && is_match(&pattern[1..], &topic[1..]),
            _ => false,
        }
    }

    fn drawn(random: &mut Random, of: &[&str]) -> String {
        let count = 1 + random.below(5);
        let segments = (0..count).map(|_| of[random.below(of.len() as u64) as usize]);
        segments.collect::<Vec<_>>().join(".")
    }

    #[test]
    fn a_topic_finds_every_subscription_that_matches_once_and_no_other() {
        let mut random = Random::new(1);
        let mut trie = Trie::default();
        let mut patterns: Vec<(String, usize)> = Vec::new();
        for subscription in 0..3_000 {
            let text = drawn(&mut random, &["a", "b", "c", "*", "**"]);
            trie.insert(&Pattern::parse(&text).unwrap(), subscription);
            patterns.push((text, subscription));
            if random.below(2) == 0 {
                let gone = random.below(patterns.len() as u64) as usize;
                let (text, subscription) = patterns.swap_remove(gone);
                trie.remove(&Pattern::parse(&text).unwrap(), subscription);
            }
            let topic = drawn(&mut random, &["a", "b", "c", "d"]);
            let segments: Vec<&str> = topic.split('.').collect();
            let mut found = Vec::new();
            trie.matches(&topic, &mut found);
            found.sort_unstable();
            let matching = patterns.iter().filter(|(pattern, _)| {
                is_match(&pattern.split('.').collect::<Vec<_>>(), &segments)
            });
            let mut wanted: Vec<usize> = matching.map(|(_, subscription)| *subscription).collect();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{topic}");
        }
        for (text, subscription) in patterns {
            trie.remove(&Pattern::parse(&text).unwrap(), subscription);
        }
        assert_eq!(trie.nodes.len(), 1, "nothing is left but the root");
    }

    #[test]
    fn no_pattern_makes_a_topic_walk_in_circles() {
        let mut trie = Trie::default();
        let hard = vec!["**.a"; 50].join(".");
        trie.insert(&Pattern::parse(&hard).unwrap(), 1);
        let mut found = Vec::new();
        trie.matches(&vec!["a"; 127].join("."), &mut found);
        assert_eq!(found, [1]);
        trie.matches(&format!("{}.b", vec!["a"; 126].join(".")), &mut found);
        assert_eq!(found, [1]);
    }
}
