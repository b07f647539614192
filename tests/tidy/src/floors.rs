//! Floors: which part may name which.
//!
//! Three kinds of rule. Modules of one crate: every path that begins at the crate's root (`crate::`
//! or enough `super::`) is resolved, grouped imports too. Crates: what `Cargo.toml` does not name
//! cannot be used. And names of the standard library or of mio that only one part may speak.

use crate::functions::{closing, words};
use crate::tree::{File, Finding, Tree};

/// The pure core: each floor, and the floors it may import.
const PROTO: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("wire", &["base"]),
    ("client", &["base", "wire"]),
    ("port", &["base", "wire"]),
    ("broker", &["base"]),
    ("journal", &["base"]),
    ("election", &["base"]),
    ("hub", &["base", "wire", "port", "broker", "journal", "election"]),
];

/// The runtime. The disk is `directory`; the reactor is `poller`, `link`, `host` and `handle`. Only
/// the types of the options are taken from `api`.
const RUNTIME: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("clock", &[]),
    ("descriptors", &[]),
    ("sync", &["clock"]),
    ("system", &["descriptors"]),
    ("poller", &["clock", "descriptors"]),
    ("directory", &["clock", "descriptors", "system"]),
    ("offline", &["clock", "directory"]),
    ("link", &["address", "clock", "descriptors", "sync", "system", "poller"]),
    ("host", &["clock", "descriptors", "sync", "system", "poller", "directory", "link"]),
    (
        "handle",
        &[
            "address",
            "clock",
            "descriptors",
            "sync",
            "system",
            "poller",
            "directory",
            "link",
            "host",
            "api",
        ],
    ),
    ("api", &["clock", "handle"]),
    ("sugar", &["api"]),
];

/// Crates that stand on the public Rust API alone: their directory.
const EDGES: &[&str] = &["ffi", "bindings/python", "bindings/node", "command"];

/// What the pure core never does: the name, and what it does instead.
const IMPURE: &[(&str, &str)] = &[
    ("std::net", "return bytes; the runtime moves them"),
    ("std::fs", "return an effect; the runtime does it"),
    ("std::thread", "a machine has no thread"),
    ("std::process", "return an effect; the runtime does it"),
    ("std::env", "take it as an argument"),
    ("Instant", "take the time as an argument (base::Time)"),
    ("SystemTime", "take the time as an argument (base::Time)"),
    ("rand", "take a seed as an argument"),
    ("getrandom", "take a seed as an argument"),
    ("mio", "the reactor feeds the machine"),
];

/// What only the runtime names.
const RUNTIME_ONLY: &[&str] =
    &["mio", "std::fs", "std::net", "thread::spawn", "thread::scope", "thread::Builder"];

/// Every import from the wrong floor.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = modules(tree, "core/proto/src/", PROTO);
    findings.extend(modules(tree, "core/runtime/src/", RUNTIME));
    findings.extend(pure(tree));
    findings.extend(edges(tree));
    findings
}

/// Imports between the modules of one crate, against its table. What the table does not list as a
/// floor may be imported by all.
fn modules(tree: &Tree, source: &str, floors: &[(&str, &[&str])]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some(below) = file.path.strip_prefix(source) else { continue };
        let own = below.split(['/', '.']).next().unwrap_or_default();
        let Some((_, allowed)) = floors.iter().find(|(floor, _)| *floor == own) else { continue };
        for (at, name) in from_root(file, depth(below)) {
            let is_floor = floors.iter().any(|(floor, _)| *floor == name);
            if is_floor && name != own && !allowed.contains(&name.as_str()) {
                let say = format!("`{own}` may not import `{name}`; it may: {allowed:?}");
                findings.push(file.at(at, say));
            }
        }
    }
    findings
}

/// Modules between the crate's root and this file's own code.
fn depth(below: &str) -> usize {
    let names = below.split('/').count();
    if below.ends_with("/mod.rs") { names - 1 } else { names }
}

/// Every name that a path of `file` takes from the crate's root, with its place.
fn from_root(file: &File, depth: usize) -> Vec<(usize, String)> {
    let code = &file.code;
    let mut found = Vec::new();
    for at in words(code, "crate::") {
        found.extend(names_at(code, at + "crate::".len()));
    }
    for at in words(code, "super::") {
        if code[..at].ends_with("super::") {
            continue;
        }
        let chain = &code[at..];
        let rest = chain.trim_start_matches("super::");
        if (chain.len() - rest.len()) / "super::".len() >= depth {
            found.extend(names_at(code, code.len() - rest.len()));
        }
    }
    found
}

/// The first names of the paths at `at`: one, or those of a group in braces.
fn names_at(code: &str, at: usize) -> Vec<(usize, String)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let name = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    if !code[at..].starts_with('{') {
        return vec![(at, name(&code[at..]))];
    }
    let end = closing(code, at);
    let mut names = Vec::new();
    let mut depth = 0;
    let mut expected = true;
    for (place, c) in code[at + 1..end].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && is_word(c) => {
                names.push((at + 1 + place, name(&code[at + 1 + place..])));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

/// What the pure core may not speak of.
fn pure(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.path.starts_with("core/proto/src/")) {
        for (name, instead) in IMPURE {
            let say = format!("the pure core never names `{name}`: {instead}");
            findings.extend(named(file, name).into_iter().map(|at| file.at(at, say.as_str())));
        }
    }
    findings
}

/// Places where `file` names `path`, also as part of a grouped import.
pub fn named(file: &File, path: &str) -> Vec<usize> {
    let mut places: Vec<usize> = words(&file.code, path).collect();
    if let Some((parent, last)) = path.rsplit_once("::") {
        let group = format!("{parent}::{{");
        for at in words(&file.code, &group) {
            let names = names_at(&file.code, at + group.len() - 1);
            places.extend(names.iter().filter(|(_, name)| name == last).map(|(at, _)| *at));
        }
    }
    places
}

/// What stands on the public API names neither the core, nor its like, nor what the runtime does.
fn edges(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let names: Vec<(&str, String)> =
        EDGES.iter().filter_map(|edge| Some((*edge, package(tree, edge)?))).collect();
    for (edge, own) in &names {
        let manifest = tree.get(&format!("{edge}/Cargo.toml")).expect("its package was read");
        let others = names.iter().map(|(_, name)| name.as_str()).filter(|name| name != own);
        for other in others.chain(["telpher-proto"]) {
            let at = manifest.text.lines().position(|line| {
                let rest = line.trim_start().strip_prefix(other).unwrap_or_default();
                rest.starts_with([' ', '.', '=', ']'])
            });
            if let Some(line) = at {
                let say = format!("`{own}` stands on the crate `telpher` alone, not on `{other}`");
                findings.push(Finding { path: manifest.path.clone(), line: line + 1, say });
            }
        }
        for file in tree.rust().filter(|file| file.path.starts_with(&format!("{edge}/src/"))) {
            let file = file.without_tests();
            for name in RUNTIME_ONLY.iter().chain(&["telpher_proto"]) {
                let say = format!("only the runtime names `{name}`: use the crate `telpher`");
                findings.extend(named(&file, name).into_iter().map(|at| file.at(at, say.as_str())));
            }
        }
    }
    findings
}

fn package(tree: &Tree, directory: &str) -> Option<String> {
    let manifest = tree.get(&format!("{directory}/Cargo.toml"))?;
    let line = manifest.text.lines().find_map(|line| line.strip_prefix("name = "))?;
    Some(line.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn canary_an_import_from_the_wrong_floor_is_found_however_it_is_written() {
        for text in [
            "use crate::broker::Broker;",
            "use crate::{base::Time, broker::Broker};",
            "use super::broker;",
            "use super::{broker, wire};",
            "fn f() -> crate::broker::X {}",
            "mod tests { use super::super::broker::X; }",
        ] {
            assert_eq!(found("core/proto/src/port/mod.rs", text), 1, "{text}");
        }
        assert_eq!(found("core/proto/src/port/a.rs", "use super::super::client::X;"), 1);
        assert_eq!(found("core/proto/src/base/name.rs", "use crate::wire::X;"), 1);
        assert_eq!(found("core/runtime/src/directory/a.rs", "use crate::link::X;"), 1);
        assert_eq!(found("core/runtime/src/link/a.rs", "use crate::directory::X;"), 1);
        assert_eq!(found("core/runtime/src/poller.rs", "use crate::api::X;"), 1);
    }

    #[test]
    fn an_import_from_the_right_floor_is_not_found() {
        assert_eq!(found("core/proto/src/port/mod.rs", "use crate::{base::X, wire::{a, b}};"), 0);
        assert_eq!(found("core/proto/src/port/a.rs", "use super::broker; // crate::broker"), 0);
        assert_eq!(found("core/proto/src/hub/mod.rs", "use crate::{port, broker, election};"), 0);
        assert_eq!(found("core/runtime/src/host/a.rs", "use crate::{directory, link};"), 0);
    }

    #[test]
    fn canary_an_impure_name_in_the_core_is_found() {
        for text in [
            "use std::net::TcpStream;",
            "use std::{fs, io};",
            "std::thread::spawn(f);",
            "let now = Instant::now();",
            "use std::time::{Duration, SystemTime};",
            "rand::random()",
        ] {
            assert_eq!(found("core/proto/src/base/a.rs", text), 1, "{text}");
        }
        assert_eq!(found("core/proto/src/base/a.rs", "use std::time::Duration; let brand = 1;"), 0);
    }

    #[test]
    fn canary_an_edge_that_reaches_past_the_api_is_found() {
        let tree = |manifest: &str, source: &str| {
            Tree::of(&[
                ("ffi/Cargo.toml", &format!("name = \"telpher-ffi\"\n{manifest}\n")),
                ("command/Cargo.toml", "name = \"telpher-command\"\n"),
                ("ffi/src/lib.rs", source),
            ])
        };
        for (manifest, source) in [
            ("telpher-proto.workspace = true", ""),
            ("telpher-command = { path = \"..\" }", ""),
            ("", "use telpher_proto::base::Id;"),
            ("", "use std::{fs, time};"),
            ("", "std::thread::spawn(f)"),
            ("", "mio::Poll::new()"),
        ] {
            assert_eq!(check(&tree(manifest, source)).len(), 1, "{manifest} {source}");
        }
        let source = "use telpher::Hub; #[cfg(test)] mod tests { use std::fs; }";
        assert!(check(&tree("telpher.workspace = true", source)).is_empty());
    }
}
