//! Files that nothing uses.
//!
//! A Rust file below `src` is used if the module above it declares it. Any other file is used if
//! another file names it, or if a tool finds it by a convention listed here.

use crate::functions::words;
use crate::tree::{File, Finding, Tree};

/// Files that people or tools find by themselves.
const ROOTS: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "Makefile",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    ".gitignore",
    "rustfmt.toml",
    "clippy.toml",
    "pyproject.toml",
    "package.json",
    "package-lock.json",
    "cbindgen.toml",
    "conftest.py",
    "__init__.py",
    "__main__.py",
    "py.typed",
    "build.rs",
    "mod.rs",
    "lib.rs",
    "main.rs",
    "tsconfig.json",
    ".npmignore",
    "nextest.toml",
];

/// Every file that nothing uses.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let unused = |file: &&File| !ROOTS.contains(&file.name()) && !used(tree, file);
    tree.files
        .iter()
        .filter(unused)
        .map(|file| file.at(0, "nothing uses this file: name it where it belongs, or remove it"))
        .collect()
}

fn used(tree: &Tree, file: &File) -> bool {
    if file.extension() == "rs" {
        return discovered(tree, file) || declared(tree, file);
    }
    if found_by_a_test_tool(file) {
        return true;
    }
    let is_python = matches!(file.extension(), "py" | "pyi");
    let directory = file.directory().rsplit('/').next().unwrap_or_default();
    let is_data = !file.is_source() && !directory.is_empty() && file.extension() != "md";
    tree.files.iter().filter(|other| other.path != file.path).any(|other| {
        let is_makefile = other.name() == "Makefile" || other.extension() == "mk";
        let word = if is_python || is_makefile { file.stem() } else { file.name() };
        words(&other.text, word).next().is_some()
            || (is_data
                && other.directory() != file.directory()
                && words(&other.text, &format!("{directory}/")).next().is_some())
    })
}

/// Rust files that cargo finds by itself: `tests/*.rs`, `examples/*.rs`, `benches/*.rs`, `src/bin`.
fn discovered(tree: &Tree, file: &File) -> bool {
    ["tests", "examples", "benches", "src/bin"].iter().any(|directory| {
        file.directory()
            .strip_suffix(directory)
            .is_some_and(|package| tree.get(&format!("{package}Cargo.toml")).is_some())
    })
}

/// True if a module above `file` declares it.
fn declared(tree: &Tree, file: &File) -> bool {
    let directory = file.directory();
    let mentions = |path: String, what: &str| {
        tree.get(&path).is_some_and(|parent| words(&parent.text, what).next().is_some())
    };
    let declaration = format!("mod {};", file.stem());
    let beside = |name: &str| format!("{directory}/{name}.rs");
    ["mod", "lib", "main"].iter().any(|name| mentions(beside(name), &declaration))
        || mentions(format!("{directory}.rs"), &declaration)
        || tree.rust().any(|other| by_path(file, other))
        || tree.rust().any(|other| {
            discovered(tree, other)
                && directory == other.directory()
                && other.text.contains(&declaration)
        })
}

/// True if `other` declares `file` by a path that it gives.
fn by_path(file: &File, other: &File) -> bool {
    let from = match other.directory() {
        "" => Some(file.path.as_str()),
        above => file.path.strip_prefix(above).and_then(|rest| rest.strip_prefix('/')),
    };
    from.is_some_and(|from| other.text.contains(&format!("#[path = \"{from}\"]")))
}

fn found_by_a_test_tool(file: &File) -> bool {
    let name = file.name();
    (name.starts_with("test_") && name.ends_with(".py"))
        || [".test.mjs", ".test.cjs", ".test.js"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|finding| finding.path).collect()
    }

    #[test]
    fn canary_a_file_that_nothing_names_is_found() {
        assert_eq!(found(&[("docs/a.md", "a.md"), ("x/b.py", ""), ("c.mjs", "")]).len(), 3);
        let main = ("a/src/lib.rs", "mod b;");
        assert_eq!(found(&[main, ("a/src/b.rs", ""), ("a/src/c.rs", "")]), ["a/src/c.rs"]);
        assert_eq!(found(&[main, ("a/src/b/mod.rs", "mod d;"), ("a/src/b/e.rs", "")]).len(), 1);
    }

    #[test]
    fn a_file_that_something_names_or_a_tool_finds_is_not_found() {
        let files = [
            ("README.md", "see docs/a.md and tests/golden/"),
            ("docs/a.md", ""),
            ("tests/golden/call.hex", ""),
            ("bench/run.py", "import tables"),
            ("bench/tables.py", ""),
            ("Makefile", "python bench/run.py; for each in pong; do cc $each.c; done"),
            ("bench/c/pong.c", ""),
            ("a/Cargo.toml", ""),
            ("a/tests/b.rs", "#[path = \"support/c.rs\"]\nmod c;"),
            ("a/tests/support/c.rs", ""),
            ("p/tests/test_x.py", ""),
        ];
        assert!(found(&files).is_empty());
    }
}
