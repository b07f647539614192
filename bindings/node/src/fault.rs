//! How an error that happens at once crosses to JavaScript: as text that `lib/error.cjs` reads.
//!
//! Floor: telpher, napi.

use napi::Status;
use napi_derive::napi;
use telpher::{Error, Executed, Kind};

/// One row of the table of errors.
#[napi(object)]
pub struct KindRow {
    /// Its number, the same in every language.
    pub number: u32,
    /// Its stable name.
    pub code: String,
    /// `never`, `maybe` or `depends`.
    pub executed: String,
    /// What it means.
    pub meaning: String,
}

/// The table of errors.
#[napi]
pub fn kinds() -> Vec<KindRow> {
    let executed = |kind: Kind| match kind.executed() {
        Executed::Never => "never",
        Executed::Maybe => "maybe",
        Executed::Depends => "depends",
    };
    let row = |kind: &Kind| KindRow {
        number: *kind as u32,
        code: kind.name().to_owned(),
        executed: executed(*kind).to_owned(),
        meaning: kind.meaning().to_owned(),
    };
    Kind::ALL.iter().map(row).collect()
}

/// `error` as `kind;maybe_executed;code;detail`.
pub(crate) fn thrown(error: &Error) -> napi::Error {
    let maybe = u8::from(error.maybe_executed());
    let text = format!("{};{maybe};{};{}", error.kind() as u32, error.code(), error.detail());
    napi::Error::new(Status::GenericFailure, text)
}
