//! Sizes: columns, lines of a file, lines of a function.

use crate::functions::functions;
use crate::tree::{Finding, Tree};

/// Columns of a line.
pub const WIDTH_MAX: usize = 100;
/// Lines of a file.
pub const FILE_LINES_MAX: usize = 500;
/// Lines of a function.
pub const FUNCTION_LINES_MAX: usize = 60;

/// Files that may be longer, each with its reason. An entry that is no longer needed is a finding.
pub const LONG_FILES: &[(&str, &str)] = &[
    ("include/telpher.h", "one header is the promise; it is generated"),
    ("bindings/python/python/telpher/_telpher.pyi", "one native module has one stub"),
];

/// Files that are generated, so that their lines are not a person's.
const GENERATED: &[&str] = &["include/telpher.h"];

/// Every line that is too wide.
pub fn width(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.sources().filter(|file| !GENERATED.contains(&file.path.as_str())) {
        for (number, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > WIDTH_MAX {
                let say = format!("{columns} columns; at most {WIDTH_MAX}: break the line");
                findings.push(Finding { path: file.path.clone(), line: number + 1, say });
            }
        }
    }
    findings
}

/// Every file that is too long, and every exception that nothing needs.
pub fn files(tree: &Tree, exceptions: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.sources() {
        let lines = file.text.lines().count();
        let excepted = exceptions.iter().any(|(path, _)| *path == file.path);
        let say = match (lines > FILE_LINES_MAX, excepted) {
            (true, false) => {
                format!("{lines} lines; at most {FILE_LINES_MAX}: it wants to be two files")
            }
            (false, true) => format!("{lines} lines need no exception: remove it"),
            _ => continue,
        };
        findings.push(file.at(0, say));
    }
    findings
}

/// Every function that is too long.
pub fn function_lines(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.sources() {
        for function in functions(file).iter().filter(|f| f.lines > FUNCTION_LINES_MAX) {
            let lines = function.lines;
            let say = format!(
                "a function of {lines} lines; at most {FUNCTION_LINES_MAX}: it wants to be two"
            );
            findings.push(file.at(function.at, say));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canary_a_line_of_101_columns_is_found_and_one_of_100_is_not() {
        let wide = format!("{}\n{}\n", "ä".repeat(100), "x".repeat(101));
        let findings = width(&Tree::of(&[("a.rs", &wide)]));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
    }

    #[test]
    fn canary_a_file_of_501_lines_is_found_in_every_language() {
        for path in ["a.rs", "a.c", "a.py", "a.mjs"] {
            let long = "\n".repeat(501);
            let found = |exceptions| files(&Tree::of(&[(path, &long)]), exceptions).len();
            assert_eq!(found(&[]), 1, "{path}");
            assert_eq!(found(&[(path, "why")]), 0, "{path}");
        }
        assert!(files(&Tree::of(&[("a.rs", &"\n".repeat(500))]), &[]).is_empty());
    }

    #[test]
    fn canary_an_exception_that_nothing_needs_is_found() {
        assert_eq!(files(&Tree::of(&[("a.rs", "\n")]), &[("a.rs", "why")]).len(), 1);
    }

    #[test]
    fn canary_a_function_of_61_lines_is_found_in_every_language() {
        let body = |lines: usize| "    x()\n".repeat(lines - 2);
        for (path, open, close, lines) in [
            ("a.rs", "fn f() {\n", "}\n", 61),
            ("a.c", "int f(void) {\n", "}\n", 61),
            ("a.mjs", "const f = () => {\n", "}\n", 61),
            ("a.py", "def f():\n", "    x()\n", 61),
        ] {
            let found = |lines: usize| {
                let text = format!("{open}{}{close}", body(lines));
                function_lines(&Tree::of(&[(path, &text)])).len()
            };
            assert_eq!((found(lines), found(lines - 1)), (1, 0), "{path}");
        }
    }
}
