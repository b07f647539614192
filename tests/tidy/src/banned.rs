//! Names that are not used here, each with what is used instead.

use crate::blank::Language;
use crate::floors::named;
use crate::tree::{File, Finding, Tree};

/// Where a name is banned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In all Rust.
    Rust,
    /// In what programs link: the core, the C library and the bindings; not in their tests.
    Libraries,
    /// In all Python.
    Python,
    /// In all JavaScript.
    JavaScript,
    /// In all C and C++.
    C,
}

/// The name, where, and what to do instead.
const BANNED: &[(&str, Where, &str)] = &[
    (
        "parking_lot",
        Where::Rust,
        "std::sync: a table shared by all locks may be left locked in a child after fork",
    ),
    ("todo!", Where::Rust, "write it"),
    ("unimplemented!", Where::Rust, "write it, or return UNSUPPORTED naming the feature"),
    ("dbg!", Where::Rust, "remove it, or use tracing::debug!"),
    ("#[ignore", Where::Rust, "mend the test or remove it: an ignored one proves nothing"),
    ("thread::sleep", Where::Rust, "wait for the thing itself: a channel, an event, a time limit"),
    ("println!", Where::Libraries, "tracing::info!: a library owns no output"),
    ("eprintln!", Where::Libraries, "tracing::warn!: a library owns no output"),
    ("print!", Where::Libraries, "tracing::info!: a library owns no output"),
    ("eprint!", Where::Libraries, "tracing::warn!: a library owns no output"),
    (".unwrap()", Where::Libraries, "an error, or expect(\"why it cannot happen\")"),
    ("process::exit", Where::Libraries, "an error: only the program may end itself"),
    ("process::abort", Where::Libraries, "an error: only the program may end itself"),
    ("time.sleep", Where::Python, "wait for the thing itself: an event, a future, a time limit"),
    ("asyncio.sleep", Where::Python, "wait for the thing itself; asyncio.sleep(0) yields the loop"),
    ("pytest.mark.skip", Where::Python, "mend the test or remove it"),
    ("test.skip", Where::JavaScript, "mend the test or remove it"),
    ("it.skip", Where::JavaScript, "mend the test or remove it"),
    ("test.todo", Where::JavaScript, "write the test"),
    ("sleep(", Where::C, "wait for the thing itself: telpher_wait, telpher_poll"),
    ("usleep(", Where::C, "wait for the thing itself: telpher_wait, telpher_poll"),
    ("gets(", Where::C, "fgets, which knows its bound"),
    ("strcpy(", Where::C, "snprintf or memcpy, which know their bound"),
    ("sprintf(", Where::C, "snprintf, which knows its bound"),
];

/// What may follow a banned name and make it harmless.
const HARMLESS: &[(&str, &str)] = &[("asyncio.sleep", "(0)")];

/// Directories of what programs link.
const LIBRARIES: &[&str] = &["core/", "ffi/src/", "bindings/"];

/// Every use of a banned name.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.sources() {
        let shipped = file.without_tests();
        for (name, place, instead) in BANNED {
            let file = match place {
                Where::Libraries => &shipped,
                _ => file,
            };
            if !applies(file, *place) {
                continue;
            }
            let harmless = HARMLESS.iter().find(|(other, _)| other == name);
            for at in named(file, name) {
                let rest = &file.code[at..];
                if harmless.is_none_or(|(_, after)| !rest[name.len()..].starts_with(after)) {
                    findings.push(file.at(at, format!("`{name}` is not used here: {instead}")));
                }
            }
        }
    }
    findings
}

fn applies(file: &File, place: Where) -> bool {
    let language = Language::of(&file.path);
    match place {
        Where::Rust => language == Some(Language::Rust),
        Where::Python => language == Some(Language::Python),
        Where::JavaScript => language == Some(Language::JavaScript),
        Where::C => language == Some(Language::C),
        Where::Libraries => {
            let library = LIBRARIES.iter().any(|directory| file.path.starts_with(directory));
            language == Some(Language::Rust)
                && library
                && !file.is_test()
                && file.name() != "build.rs"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn canary_each_banned_name_is_found() {
        for (name, place, _) in BANNED {
            let path = match place {
                Where::Rust | Where::Libraries => "core/a/src/b.rs",
                Where::Python => "a.py",
                Where::JavaScript => "a.mjs",
                Where::C => "a.c",
            };
            assert_eq!(found(path, &format!("x = 1; {name}")), 1, "{name}");
        }
    }

    #[test]
    fn canary_a_banned_name_in_a_grouped_import_is_found() {
        assert_eq!(found("core/a/src/b.rs", "use std::process::{Command, exit};"), 1);
        assert_eq!(found("core/a/src/b.rs", "use std::process::{Command, exit_code};"), 0);
    }

    #[test]
    fn what_tests_and_programs_may_say_is_not_found() {
        assert_eq!(found("core/a/src/b.rs", "#[cfg(test)]\nmod tests { x.unwrap(); }"), 0);
        assert_eq!(found("core/a/src/b.rs", "#[cfg(test)]\nmod tests; fn f() { x.unwrap(); }"), 1);
        assert_eq!(found("core/a/tests/b.rs", "x.unwrap(); println!();"), 0);
        assert_eq!(found("command/src/main.rs", "println!();"), 0);
        assert_eq!(found("a.py", "await asyncio.sleep(0)"), 0);
        assert_eq!(found("a.rs", "// todo!\nlet a = \"dbg!\";"), 0);
    }
}
