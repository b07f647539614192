//! Where functions begin and end, found by counting braces (in Python: by indentation).

use crate::blank::Language;
use crate::tree::File;

/// One function: the byte it begins at, and the lines it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where it begins.
    pub at: usize,
    /// Its lines, from the first of its head to its last brace.
    pub lines: usize,
}

/// Words before `(…) {` that begin a statement and no function.
const STATEMENTS: &[&str] = &["if", "for", "while", "switch", "catch", "with"];

/// Calls whose function groups tests and does nothing itself.
const GROUPS: &[&str] = &["describe(", "suite("];

/// Every function of `file`.
pub fn functions(file: &File) -> Vec<Function> {
    match Language::of(&file.path) {
        Some(Language::Rust) => rust(&file.code),
        Some(Language::Python) => python(&file.code),
        Some(Language::C | Language::JavaScript) => braced(&file.code),
        None => Vec::new(),
    }
}

/// Where the bracket that opens at `open` closes; the end of the text if it does not.
pub fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Every place in `code` where `word` stands as a word of its own.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let first = word.as_bytes().first();
        let last = word.as_bytes().last();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let joined_before = is_word(first) && is_word(before);
        let joined_after = is_word(last) && is_word(bytes.get(at + word.len()));
        !joined_before && !joined_after
    })
}

fn lines_between(code: &str, first: usize, last: usize) -> usize {
    code[first..last.min(code.len())].bytes().filter(|byte| *byte == b'\n').count() + 1
}

fn rust(code: &str) -> Vec<Function> {
    words(code, "fn ")
        .filter_map(|at| {
            let open = body(code, at)?;
            Some(Function { at, lines: lines_between(code, at, closing(code, open)) })
        })
        .collect()
}

/// The brace that opens the body of the Rust function whose head begins at `at`, if it has one.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (place, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(place),
            b';' | b'}' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}

/// C, C++ and JavaScript: a brace after `=>`, or after the `)` of what is no statement.
fn braced(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (open, _) in code.match_indices('{') {
        let head = code[..open].trim_end();
        let is_function = if head.ends_with("=>") {
            !GROUPS.iter().any(|group| line_of(code, open).trim_start().starts_with(group))
        } else {
            head.ends_with(')') && !begins_statement(head)
        };
        if is_function {
            let lines = lines_between(code, open, closing(code, open));
            found.push(Function { at: open, lines });
        }
    }
    found
}

fn line_of(code: &str, at: usize) -> &str {
    let begin = code[..at].rfind('\n').map_or(0, |end| end + 1);
    &code[begin..at]
}

/// True if `head`, which ends with `)`, is `if (…)` or the like.
fn begins_statement(head: &str) -> bool {
    let mut depth = 0;
    let open = head.bytes().rposition(|byte| {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let before = head[..open.unwrap_or(0)].trim_end();
    let word = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    STATEMENTS.contains(&word)
}

fn python(code: &str) -> Vec<Function> {
    let lines: Vec<&str> = code.lines().collect();
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    let mut at = 0;
    for (number, line) in lines.iter().enumerate() {
        let head = line.trim_start();
        if head.starts_with("def ") || head.starts_with("async def ") {
            let inside = |other: &&str| {
                let begins = other.trim_start().chars().next();
                begins.is_none_or(|c| c == ')') || indentation(other) > indentation(line)
            };
            let body: Vec<&str> = lines[number + 1..].iter().copied().take_while(inside).collect();
            let blank = body.iter().rev().take_while(|other| other.trim().is_empty()).count();
            found.push(Function { at, lines: 1 + body.len() - blank });
        }
        at += line.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(path: &str, text: &str) -> Vec<usize> {
        functions(&File::new(path, text)).iter().map(|function| function.lines).collect()
    }

    #[test]
    fn rust_functions_are_measured_and_declarations_are_not() {
        let text = "fn a() { if x { \"}\" } }\ntrait T { fn b(&self); }\n\
            fn c<F: Fn(u8) -> [u8; 2]>(f: F)\nwhere\n{\n    // }\n}\ntype G = fn(u8);";
        assert_eq!(sizes("a.rs", text), [1, 5]);
    }

    #[test]
    fn c_functions_are_measured_and_statements_are_not() {
        let text = "extern \"C\" {\nint f(int a)\n{\n  if (a) {\n  }\n  return 0;\n}\n}\n";
        assert_eq!(sizes("a.c", text), [5]);
    }

    #[test]
    fn javascript_functions_are_measured_and_groups_of_tests_are_not() {
        let text = "describe('x', () => {\n  test('y', async () => {\n    f()\n  })\n\
            \n  g(a) {\n  }\n})\n";
        assert_eq!(sizes("a.mjs", text), [3, 2]);
    }

    #[test]
    fn python_functions_are_measured_by_indentation() {
        let text = "class A:\n    def f(\n        self,\n    ):\n        pass\n\n        x = 1\n\n\
            \n    async def g(self): ...\n";
        assert_eq!(sizes("a.py", text), [6, 1]);
    }

    #[test]
    fn a_word_within_a_word_is_not_found() {
        assert_eq!(words("unsafe_code unsafe {} not_unsafe", "unsafe").count(), 1);
    }
}
