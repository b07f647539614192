//! Turns comments and what stands in strings to spaces, so that a rule looks at code alone.
//!
//! A scanner for each family of languages, no parser: it knows how comments, strings, characters,
//! templates and regular expressions begin and end, and keeps every line break and every length, so
//! that a place in the code is the same place in the text.

/// What a file is written in, as far as the scanner cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
    /// C and C++.
    C,
    /// JavaScript and TypeScript.
    JavaScript,
    /// Python.
    Python,
}

impl Language {
    /// What the file at `path` is written in, by its name.
    pub fn of(path: &str) -> Option<Language> {
        match path.rsplit_once('.')?.1 {
            "rs" => Some(Language::Rust),
            "c" | "h" | "cc" | "cpp" | "hpp" => Some(Language::C),
            "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" => Some(Language::JavaScript),
            "py" | "pyi" => Some(Language::Python),
            _ => None,
        }
    }
}

/// `text` with comments and the insides of strings turned to spaces.
pub fn blank(text: &str, language: Language) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        match span(bytes, at, language) {
            Some(span) => {
                erase(&mut out[at + span.open..at + span.size - span.close]);
                at += span.size;
            }
            None => at += 1,
        }
    }
    // What was erased were whole characters, as every span begins and ends with an ASCII one.
    String::from_utf8(out).unwrap_or_default()
}

/// Something to erase: its size, and how much of either end stays.
struct Span {
    size: usize,
    open: usize,
    close: usize,
}

impl Span {
    fn comment(size: usize) -> Option<Span> {
        Some(Span { size, open: 0, close: 0 })
    }

    fn quoted(size: usize, quote: usize) -> Option<Span> {
        let open = quote.min(size);
        Some(Span { size, open, close: quote.min(size - open) })
    }
}

fn erase(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// The comment or string that begins at `at`, if one does.
fn span(bytes: &[u8], at: usize, language: Language) -> Option<Span> {
    let rest = &bytes[at..];
    if language == Language::Python {
        return python(rest);
    }
    if rest.starts_with(b"//") {
        return Span::comment(line_end(rest));
    }
    if rest.starts_with(b"/*") {
        return Span::comment(block_end(rest, language == Language::Rust));
    }
    match (language, rest[0]) {
        (_, b'"') => Span::quoted(string_end(rest, b'"'), 1),
        (Language::C | Language::JavaScript, b'\'') => Span::quoted(string_end(rest, b'\''), 1),
        (Language::JavaScript, b'`') => Span::quoted(string_end(rest, b'`'), 1),
        (Language::JavaScript, b'/') if regular_expression_may_begin(bytes, at) => {
            Span::quoted(expression_end(rest), 1)
        }
        (Language::Rust, b'\'') => character(rest),
        (Language::Rust, b'r') if at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b' => {
            raw(rest)
        }
        _ => None,
    }
}

fn python(rest: &[u8]) -> Option<Span> {
    if rest[0] == b'#' {
        return Span::comment(line_end(rest));
    }
    for triple in [b"\"\"\"", b"'''"] {
        if rest.starts_with(triple) {
            let size = find(&rest[3..], triple).map_or(rest.len(), |end| end + 6);
            return Span::quoted(size, 3);
        }
    }
    match rest[0] {
        quote @ (b'"' | b'\'') => Span::quoted(string_end(rest, quote), 1),
        _ => None,
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_end(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn block_end(rest: &[u8], nested: bool) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" if depth == 0 || nested => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_end(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A Rust character: `'x'`, `'\n'`, `'ä'`; a lifetime is none.
fn character(rest: &[u8]) -> Option<Span> {
    if rest.get(1) == Some(&b'\\') {
        return Span::quoted(string_end(rest, b'\''), 1);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(9)])
        .or_else(|error| std::str::from_utf8(&rest[1..1 + error.valid_up_to()]))
        .ok()?;
    let size = text.chars().next()?.len_utf8();
    (rest.get(1 + size) == Some(&b'\'')).then_some(())?;
    Span::quoted(size + 2, 1)
}

/// A raw Rust string: `r"…"`, `r#"…"#`.
fn raw(rest: &[u8]) -> Option<Span> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    (rest.get(1 + hashes) == Some(&b'"')).then_some(())?;
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let open = 2 + hashes;
    let inside = find(&rest[open..], &close).unwrap_or(rest.len() - open);
    let size = (open + inside + close.len()).min(rest.len());
    Some(Span { size, open, close: close.len().min(size - open) })
}

/// A `/` begins a regular expression where a value may begin, and divides where one has ended.
fn regular_expression_may_begin(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rposition(|byte| !byte.is_ascii_whitespace());
    let Some(before) = before else { return true };
    let word = bytes[..=before].iter().rev().take_while(|byte| is_word(**byte)).count();
    match &bytes[before + 1 - word..=before] {
        b"return" | b"case" | b"typeof" | b"of" | b"in" => true,
        b"" => !matches!(bytes[before], b')' | b']' | b'}' | b'"' | b'\'' | b'`'),
        _ => false,
    }
}

fn expression_end(rest: &[u8]) -> usize {
    let mut in_class = false;
    let mut at = 1;
    while at < rest.len() && rest[at] != b'\n' {
        match rest[at] {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'/' if !in_class => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at.min(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, language: Language) -> String {
        let out = blank(text, language);
        assert_eq!(out.len(), text.len(), "lengths are kept: {text}");
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_stands_in_rust_strings_and_comments_is_gone_and_lifetimes_stay() {
        let text =
            "f('{', \"}\\\"}\", r#\"{\"}\"#, b'x'); /* { /* } */ */ fn g<'a>(x: &'a u8) {} // {";
        assert_eq!(
            code(text, Language::Rust),
            "f(' ', \" \", r#\" \"#, b' '); fn g<'a>(x: &'a u8) {}"
        );
        assert_eq!(
            code("let c = 'ä'; let d = '\\'';", Language::Rust),
            "let c = ' '; let d = ' ';"
        );
    }

    #[test]
    fn what_stands_in_scripts_strings_and_comments_is_gone() {
        let text = "a = `{ ${b} }`; /[/{]\\//.test('}'); c = d / e / f; // {";
        assert_eq!(code(text, Language::JavaScript), "a = ` `; / /.test(' '); c = d / e / f;");
        let text = "x = '#' # '''\ny = \"\"\"\n# {\n\"\"\"; z = 1";
        assert_eq!(code(text, Language::Python), "x = ' ' y = \"\"\" \"\"\"; z = 1");
        assert_eq!(code("char c = '\"'; puts(\"/*\");", Language::C), "char c = ' '; puts(\" \");");
    }

    #[test]
    fn an_open_end_ends_with_the_text() {
        for text in ["\"open", "'", "r#\"open", "/* open", "'\\", "r\"", "\"\\"] {
            assert_eq!(blank(text, Language::Rust).len(), text.len());
        }
        assert_eq!(blank("\"\"\"open", Language::Python).len(), 7);
    }
}
