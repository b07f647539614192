//! Where `unsafe` may stand: in named files, each with its reason, and nowhere else.

use crate::functions::words;
use crate::tree::{Finding, Tree};

/// Crates that promise to have none: the file that must say so.
pub const FORBIDDING: &[&str] = &[
    "core/proto/src/lib.rs",
    "command/src/main.rs",
    "tests/polyglot/rust/src/main.rs",
    "tests/sim/src/lib.rs",
    "tests/tidy/src/lib.rs",
];

/// Where it may stand, each with its reason. An entry that nothing needs is a finding.
pub const PERMITTED: &[(&str, &str)] = &[
    ("bindings/node/src/inbox.rs", "batches are read in place by JavaScript"),
    ("bindings/node/src/native.rs", "Node's C interface"),
    ("bindings/node/src/teardown.rs", "Node's C interface"),
    ("bindings/node/src/thread.rs", "Node's C interface"),
    ("bindings/node/src/uv.rs", "libuv is found at run time"),
    ("bindings/python/src/payload.rs", "Python's buffer protocol takes pointers"),
    ("core/runtime/src/descriptors.rs", "what a child closes after fork is a table of descriptors"),
    ("core/runtime/src/system.rs", "calls of the system that no crate wraps"),
    ("core/runtime/tests/forks.rs", "fork(2) is what is tested"),
    ("core/runtime/tests/loops.rs", "poll(2), kill(2) and signal handlers are what is tested"),
    ("ffi/src/", "the C interface takes pointers"),
];

const PROMISE: &str = "#![forbid(unsafe_code)]";

/// Every promise that is not given, every `unsafe` elsewhere, and every needless permission.
pub fn check(tree: &Tree, forbidding: &[&str], permitted: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in forbidding {
        let promised = tree.get(path).is_some_and(|file| file.code.contains(PROMISE));
        if !promised {
            let say = format!("must say `{PROMISE}`");
            findings.push(Finding { path: (*path).to_owned(), line: 1, say });
        }
    }
    let may = |path: &str| permitted.iter().position(|(prefix, _)| path.starts_with(prefix));
    let mut needed = vec![false; permitted.len()];
    for file in tree.rust() {
        for at in words(&file.code, "unsafe") {
            match may(&file.path) {
                Some(entry) => needed[entry] = true,
                None => findings.push(file.at(
                    at,
                    "`unsafe` stands only in the files that tests/tidy/src/unsafety.rs names",
                )),
            }
        }
    }
    for ((prefix, _), _) in permitted.iter().zip(needed).filter(|(_, needed)| !needed) {
        let say = "no `unsafe` is left here: remove its permission".to_owned();
        findings.push(Finding { path: (*prefix).to_owned(), line: 1, say });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canary_unsafe_in_an_unnamed_file_is_found() {
        let tree = Tree::of(&[("a/b.rs", "unsafe { x() } // unsafe"), ("c.rs", "\"unsafe\"")]);
        assert_eq!(check(&tree, &[], &[]).len(), 1);
        assert!(check(&tree, &[], &[("a/", "why")]).is_empty());
    }

    #[test]
    fn canary_a_missing_promise_and_a_needless_permission_are_found() {
        let tree = Tree::of(&[("a.rs", "// #![forbid(unsafe_code)]")]);
        assert_eq!(check(&tree, &["a.rs"], &[]).len(), 1);
        assert_eq!(check(&tree, &["b.rs"], &[]).len(), 1);
        assert_eq!(check(&tree, &[], &[("a.rs", "why")]).len(), 1);
        assert!(check(&Tree::of(&[("a.rs", PROMISE)]), &["a.rs"], &[]).is_empty());
    }
}
