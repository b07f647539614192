//! The hub that is to be looked at: through whoever hosts it, or as its directory says.
//!
//! A look never makes this process the host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use telpher::{
    Command, Done, Error, HostRole, Hub, Kind, Name, OpenOptions, Outcome, Timeout, What, offline,
    sugar,
};

/// Longest that a hub may take to answer: it may be recovering.
pub const PATIENCE: Timeout = Timeout::After(Duration::from_secs(10));

/// A hub, as it could be reached.
pub enum Reached {
    /// Somebody hosts it.
    Live(Hub),
    /// Nobody hosts this directory.
    Directory(PathBuf),
}

/// Reaches the hub that is named by its directory or its address.
pub fn reach(text: &str) -> Result<Reached, Error> {
    let (url, path) = place(text)?;
    let Some(path) = path else { return open(&url).map(Reached::Live) };
    if offline::host(&path)?.is_none() {
        return Ok(Reached::Directory(path));
    }
    match open(&url) {
        // It has ended meanwhile.
        Err(error) if error.kind() == Kind::NoHost && offline::host(&path)?.is_none() => {
            Ok(Reached::Directory(path))
        }
        opened => opened.map(Reached::Live),
    }
}

/// The hub, which has to be hosted so that something can be done there; an error is for a person.
pub fn live(text: &str, verb: &str) -> Result<Hub, String> {
    match reach(text).map_err(|error| explain(&error, text))? {
        Reached::Live(hub) => Ok(hub),
        Reached::Directory(path) => {
            let path = path.display();
            Err(format!(
                "nobody hosts {path}, and only through its host can it be used: start a program \
                 that opens it, or telpher serve {path}, and {verb} again"
            ))
        }
    }
}

fn open(url: &str) -> Result<Hub, Error> {
    let host = HostRole::Never;
    sugar::open_with(url, OpenOptions { host, timeout: PATIENCE, ..OpenOptions::default() })
}

/// The URL, and the path if it is that of a directory.
fn place(text: &str) -> Result<(String, Option<PathBuf>), Error> {
    if text.starts_with("mem://") {
        let detail = format!("{text} lives in the memory of its own process: nobody else sees it");
        return Err(Error::new(Kind::Invalid, detail));
    }
    if let Some(path) = text.strip_prefix("file://") {
        return Ok((text.to_owned(), Some(PathBuf::from(path))));
    }
    if text.contains("://") {
        return Ok((text.to_owned(), None));
    }
    Ok((url_of(text), Some(PathBuf::from(text))))
}

/// The URL of a directory's hub.
pub fn url_of(path: &str) -> String {
    let is_relative = path.starts_with("./") || path.starts_with("../");
    match path {
        path if is_relative => path.to_owned(),
        path if Path::new(path).is_absolute() => format!("file://{path}"),
        path => format!("./{path}"),
    }
}

/// Asks the hub, and waits for its answer.
pub fn ask(hub: &Hub, command: Command) -> Result<Outcome, Error> {
    let id = hub.start(command, PATIENCE, Done::Wait)?;
    match hub.wait(id, Timeout::Never)?.what {
        What::Done(result) => result,
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

/// An answer to something else.
pub fn unexpected(what: &str) -> Error {
    Error::new(Kind::Internal, format!("the hub answered with {what}"))
}

/// The error, with what the command line can do about it.
pub fn explain(error: &Error, hub: &str) -> String {
    match error.kind() {
        Kind::NotFound if error.detail().contains(" group ") => {
            format!("{error}; telpher groups {hub} lists those there are")
        }
        Kind::NotFound if error.detail().contains("stream") => {
            format!("{error}; telpher streams {hub} lists those there are")
        }
        Kind::NotFound if error.detail().contains("not declared") => {
            format!("{error}; telpher topics {hub} lists those that are")
        }
        Kind::NotFound => format!("{error}; telpher queues {hub} lists those there are"),
        Kind::Corrupt => format!("{error}; telpher check {hub} says more"),
        _ => error.to_string(),
    }
}

/// That there is no such queue.
pub fn not_found(queue: &Name) -> Error {
    Error::new(Kind::NotFound, format!("there is no queue {queue:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_named_by_its_directory_or_its_address() {
        let of = |text: &str| place(text).unwrap();
        assert_eq!(of("data"), ("./data".into(), Some("data".into())));
        assert_eq!(of("../data"), ("../data".into(), Some("../data".into())));
        assert_eq!(of("/data"), ("file:///data".into(), Some("/data".into())));
        assert_eq!(of("file:///data"), ("file:///data".into(), Some("/data".into())));
        assert_eq!(of("tcp://localhost:1"), ("tcp://localhost:1".into(), None));
        assert!(place("mem://jobs").unwrap_err().detail().contains("own process"));
    }
}
