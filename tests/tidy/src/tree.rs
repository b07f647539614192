//! The source tree: every text file, with its text as written and with comments and strings blank.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::blank::{self, Language};
use crate::functions::{closing, words};

/// Directories that hold what was built or installed, never what was written.
const BUILT: &[&str] = &["target", "build", "node_modules", "__pycache__", "dist", "package"];

/// One text file.
pub struct File {
    /// Its path from the top, with `/` between.
    pub path: String,
    /// Its text as written.
    pub text: String,
    /// Its code: as the text, with comments and what stands in strings turned to spaces.
    pub code: String,
}

impl File {
    /// A file that holds `text`.
    pub fn new(path: &str, text: &str) -> File {
        let code = match Language::of(path) {
            Some(language) => blank::blank(text, language),
            None => text.to_owned(),
        };
        File { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// What follows the last dot of its name; empty if there is none.
    pub fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Its name without directories.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Its name up to the first dot.
    pub fn stem(&self) -> &str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// Its directory; empty at the top.
    pub fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    /// True if a person wrote it in a language that the rules of size and words are for.
    pub fn is_source(&self) -> bool {
        Language::of(&self.path).is_some()
    }

    /// True if it is only ever built for tests.
    pub fn is_test(&self) -> bool {
        let inside = |part: &str| self.path.split('/').any(|directory| directory == part);
        inside("tests") || inside("test") || matches!(self.name(), "tests.rs" | "conftest.py")
    }

    /// The same file without what is only built for tests (Rust alone knows such parts).
    pub fn without_tests(&self) -> File {
        let mut code = self.code.clone();
        for at in words(&self.code, "#[cfg(test)]") {
            let open = self.code[at..].find(['{', ';']).map(|open| at + open);
            let Some(open) = open.filter(|open| self.code.as_bytes()[*open] == b'{') else {
                continue;
            };
            let end = (closing(&self.code, open) + 1).min(self.code.len());
            let line_breaks = |byte: u8| if byte == b'\n' { '\n' } else { ' ' };
            let blank: String = self.code[at..end].bytes().map(line_breaks).collect();
            code.replace_range(at..end, &blank);
        }
        File { path: self.path.clone(), text: self.text.clone(), code }
    }

    /// A finding at byte `at` of the text.
    pub fn at(&self, at: usize, say: impl Into<String>) -> Finding {
        let line = self.text.as_bytes()[..at.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        Finding { path: self.path.clone(), line: line + 1, say: say.into() }
    }
}

/// Something to mend: where, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do instead.
    pub say: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.say)
    }
}

/// Every text file of a repository.
pub struct Tree {
    /// In order of their paths.
    pub files: Vec<File>,
}

impl Tree {
    /// A tree of these paths and texts.
    pub fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    /// The repository that this crate is part of.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    pub fn of_repository() -> Tree {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut paths = Vec::new();
        collect(&top, &mut paths);
        paths.sort();
        let read = |path: PathBuf| {
            let text = String::from_utf8(std::fs::read(&path).expect("a listed file")).ok()?;
            let below = path.strip_prefix(&top).expect("collected below the top");
            Some(File::new(below.to_str()?, &text))
        };
        Tree { files: paths.into_iter().filter_map(read).collect() }
    }

    /// The file at `path`.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Every file that a person wrote in a language with rules.
    pub fn sources(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_source())
    }

    /// Every Rust file.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.extension() == "rs")
    }
}

/// Files below `directory` that are neither built nor hidden (`.ci` is not hidden).
fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory of the repository") {
        let entry = entry.expect("an entry of the repository");
        let name = entry.file_name().into_string().unwrap_or_default();
        let kind = entry.file_type().expect("the kind of an entry");
        let hidden = name.starts_with('.') && name != ".ci" && name != ".gitignore";
        if kind.is_dir() && !hidden && !BUILT.contains(&name.as_str()) {
            collect(&entry.path(), paths);
        } else if kind.is_file() && !hidden {
            paths.push(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_found_whole_and_without_what_was_built() {
        let tree = Tree::of_repository();
        for path in ["Cargo.toml", ".ci/run", "core/proto/src/lib.rs", "tests/tidy/src/tree.rs"] {
            assert!(tree.get(path).is_some(), "{path} is missing");
        }
        assert!(!tree.files.iter().any(|file| file.path.starts_with("target/")));
    }

    #[test]
    fn a_finding_names_the_line_of_its_place() {
        let file = File::new("a.rs", "one\ntwo\nthree");
        assert_eq!(file.at(0, "").line, 1);
        assert_eq!(file.at(4, "").line, 2);
        assert_eq!(file.at(99, "").line, 3);
    }
}
