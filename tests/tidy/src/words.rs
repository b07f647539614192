//! Words that belong to nobody's tree: notes to oneself, paths of one machine.

use crate::functions::words;
use crate::tree::{Finding, Tree};

/// Notes to oneself, written in two halves so that this file has none.
const NOTES: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")];

/// Directories that only some machine has, in two halves likewise.
const MACHINES: &[(&str, &str)] =
    &[("/wo", "rk/"), ("/fa", "rm/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")];

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
    findings
}

/// Places where `path` begins, rather than goes on from another path.
fn absolute<'a>(text: &'a str, path: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(path).map(|(at, _)| at).filter(|at| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || ".-_/)}*".contains(c)))
    })
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
}
