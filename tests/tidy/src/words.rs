//! Words that belong to nobody's tree: notes to oneself, paths of one machine, private registries.

use crate::functions::words;
use crate::tree::{Finding, Tree};

/// Notes to oneself, written in two halves so that this file has none.
const NOTES: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")];

/// Directories that only some machine has, in two halves likewise.
const MACHINES: &[(&str, &str)] =
    &[("/wo", "rk/"), ("/fa", "rm/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")];

/// What a lock file may name as the place a package comes from.
const REGISTRIES: &[&str] =
    &["https://registry.npmjs.org/", "registry+https://github.com/rust-lang/crates.io-index"];

/// Every such word.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (first, second) in NOTES {
            let note = format!("{first}{second}");
            let say = format!("`{note}`: do it, or open an issue");
            findings.extend(words(&file.text, &note).map(|at| file.at(at, say.as_str())));
        }
        for (first, second) in MACHINES {
            let path = format!("{first}{second}");
            let say = format!("`{path}` is a path of one machine: find it from where you stand");
            findings.extend(absolute(&file.text, &path).map(|at| file.at(at, say.as_str())));
        }
    }
    findings.extend(registries(tree));
    findings
}

/// Places where `path` begins, rather than goes on from another path.
fn absolute<'a>(text: &'a str, path: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(path).map(|(at, _)| at).filter(|at| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || ".-_/)}*".contains(c)))
    })
}

/// Packages in lock files that come from anywhere but the public registries.
fn registries(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let locks =
        tree.files.iter().filter(|f| f.name() == "Cargo.lock" || f.name().contains("-lock."));
    for file in locks {
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim_start();
            let value =
                ["source = \"", "\"resolved\": \""].iter().find_map(|key| line.strip_prefix(key));
            let public = |value: &str| REGISTRIES.iter().any(|place| value.starts_with(place));
            if value.is_some_and(|value| !public(value)) {
                let say = "a package from a private place: lock against the public registry";
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number + 1,
                    say: say.into(),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn canary_notes_to_oneself_are_found_in_any_file() {
        for (first, second) in NOTES {
            assert_eq!(found("a.md", &format!("# {first}{second}: x")), 1, "{first}{second}");
        }
        assert_eq!(found("a.md", "a hackney carriage, 0xxxx"), 0);
    }

    #[test]
    fn canary_paths_of_one_machine_are_found() {
        for (first, second) in MACHINES {
            assert_eq!(found("a.toml", &format!("x = \"{first}{second}a\"")), 1);
        }
        let relative = format!("./bench{}{}x", MACHINES[0].0, MACHINES[0].1);
        assert_eq!(found("a.toml", &relative), 0);
    }

    #[test]
    fn canary_a_private_registry_in_a_lock_file_is_found() {
        let lock = |from: &str| format!("  \"resolved\": \"{from}x.tgz\",\n");
        assert_eq!(found("a/package-lock.json", &lock("https://registry.example/")), 1);
        assert_eq!(found("a/package-lock.json", &lock(REGISTRIES[0])), 0);
        assert_eq!(found("Cargo.lock", "source = \"registry+https://registry.example/\""), 1);
    }
}
