//! Writes `include/telpher.h`, or says whether it is up to date.
//!
//! A program of its own rather than a build script, so that building never writes into the source
//! tree, and `Cargo.lock` pins the version of cbindgen that the committed header comes from.
//!
//! `telpher-header write` writes the header; `telpher-header check` compares, and ends with 1 if
//! the committed one differs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("include/telpher.h");
    let result = match std::env::args().nth(1).as_deref() {
        Some("write") => write(&root, &path),
        Some("check") => check(&root, &path),
        _ => Err("usage: telpher-header write|check".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn generate(root: &Path) -> Result<String, String> {
    let source: PathBuf = root.join("ffi");
    let config = cbindgen::Config::from_file(source.join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(source.join("src/lib.rs"))
        .generate()
        .map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).map_err(|error| error.to_string())
}

fn write(root: &Path, path: &Path) -> Result<(), String> {
    std::fs::write(path, generate(root)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn check(root: &Path, path: &Path) -> Result<(), String> {
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed == generate(root)? {
        return Ok(());
    }
    Err("include/telpher.h is not what the code says: run `make c-header` and commit it".into())
}
