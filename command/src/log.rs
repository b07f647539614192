//! Log lines on stderr, each `time level message`.

use std::io::IsTerminal;

use tracing::Level;

/// From now on what is logged, here and in the library, goes to stderr. `verbose` shows each
/// connection too; without it, only who serves says what goes on as it should.
pub fn begin(verbose: bool, serves: bool) {
    let level = match (verbose, serves) {
        (true, _) => Level::DEBUG,
        (false, true) => Level::INFO,
        (false, false) => Level::WARN,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
