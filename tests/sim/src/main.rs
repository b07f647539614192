//! `simulate`: runs seeds, and says which one failed and how to see it again.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use telpher_sim::{Lines, Mutant, Options, Report, run};

const HELP: &str = "\
Runs Telpher's core under a seeded scheduler with virtual time, against a model.

usage: simulate [--seeds N] [--from S]      N seeds (2000), beginning with S (1)
       simulate --seed S [--trace]          one seed; --trace prints everything that happens

  --mutant NAME   plants a bug, to see that it is noticed
  --all           goes on after a seed that failed
  --counts        also says how often each kind of thing happened
  --help          this text";

struct Arguments {
    from: u64,
    seeds: u64,
    trace: bool,
    counts: bool,
    all: bool,
    mutant: Option<Mutant>,
}

fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::prelude::*;
    let (trace, counts, all) = (false, false, false);
    let mut parsed = Arguments { from: 1, seeds: 2000, trace, counts, all, mutant: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seeds") => parsed.seeds = parser.value()?.parse()?,
            Long("from") => parsed.from = parser.value()?.parse()?,
            Long("seed") => {
                parsed.from = parser.value()?.parse()?;
                parsed.seeds = 1;
            }
            Long("trace") => parsed.trace = true,
            Long("counts") => parsed.counts = true,
            Long("all") => parsed.all = true,
            Long("mutant") => {
                let name = parser.value()?.string()?;
                let found = Mutant::ALL.iter().find(|mutant| mutant.name() == name);
                let names: Vec<_> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
                let names = names.join(", ");
                let unknown = || format!("no bug is called {name:?}; there are {names}");
                parsed.mutant = Some(*found.ok_or_else(unknown)?);
            }
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(parsed))
}

fn main() -> ExitCode {
    match arguments() {
        Ok(Some(arguments)) => simulate(&arguments),
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("simulate: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

/// What came of the seeds so far.
#[derive(Default)]
struct Total {
    counts: BTreeMap<String, u64>,
    hash: u64,
    steps: u64,
    lasted: Duration,
    failed: Vec<u64>,
}

impl Total {
    fn add(&mut self, report: Report) {
        self.hash = self.hash.rotate_left(5) ^ report.hash;
        self.steps += report.steps;
        self.lasted += report.lasted;
        for (what, count) in report.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }
}

fn simulate(arguments: &Arguments) -> ExitCode {
    let begun = Instant::now();
    let mut total = Total::default();
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        let lines = if arguments.trace { Lines::Printed } else { Lines::Hashed };
        let options = Options { seed, mutant: arguments.mutant, lines };
        match catch_unwind(AssertUnwindSafe(|| run(options))) {
            Ok(report) if report.failure.is_none() => {
                total.add(report);
                continue;
            }
            Ok(report) => explain(options, &report, arguments.all),
            Err(_) => {
                eprintln!("seed {seed} PANICKED; see it again with: make simulate SEED={seed}");
            }
        }
        total.failed.push(seed);
        if !arguments.all {
            return ExitCode::FAILURE;
        }
    }
    if arguments.counts {
        for (what, count) in &total.counts {
            println!("{count:>10} {what}");
        }
    }
    let failed = total.failed.len() as u64;
    println!(
        "{} seeds from {} passed, {failed} failed: {} steps, {:.0} s of their time, in {:.1} s; \
         trace hash {:016x}",
        arguments.seeds - failed,
        arguments.from,
        total.steps,
        total.lasted.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        total.hash,
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what failed; unless that is to be `brief`, with the last lines of the trace.
fn explain(options: Options, report: &Report, brief: bool) {
    let seed = report.seed;
    if !brief && options.lines == Lines::Hashed {
        let again = run(Options { lines: Lines::Kept, ..options });
        for line in &again.lines {
            eprintln!("{line}");
        }
    }
    let failure = report.failure.as_deref().unwrap_or("");
    eprintln!("seed {seed} FAILED (trace hash {:016x}) at {failure}", report.hash);
    eprintln!("see it again with: make simulate SEED={seed}");
}
