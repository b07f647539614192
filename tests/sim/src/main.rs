//! `simulate`: runs seeds, and says which one failed and how to see it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use telpher_sim::{Lines, Mutant, Options, Report, run};

const HELP: &str = "\
Runs Telpher's core under a seeded scheduler with virtual time, against a model.

usage: simulate [--seeds N] [--from S]      N seeds (500), beginning with S (1)
       simulate --seed S [--trace]          one seed; --trace prints everything that happens

  --mutant NAME   plants a bug, to see that it is noticed
  --counts        also says how often each kind of thing happened
  --help          this text";

struct Arguments {
    from: u64,
    seeds: u64,
    trace: bool,
    counts: bool,
    mutant: Option<Mutant>,
}

fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut parsed = Arguments { from: 1, seeds: 500, trace: false, counts: false, mutant: None };
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

fn simulate(arguments: &Arguments) -> ExitCode {
    let begun = Instant::now();
    let mut total = std::collections::BTreeMap::<String, u64>::new();
    let (mut hash, mut steps, mut lasted) = (0u64, 0, std::time::Duration::ZERO);
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        let lines = if arguments.trace { Lines::Printed } else { Lines::Hashed };
        let options = Options { seed, mutant: arguments.mutant, lines };
        let Ok(report) = catch_unwind(AssertUnwindSafe(|| run(options))) else {
            eprintln!("seed {seed} PANICKED; see it again with: make simulate SEED={seed}");
            return ExitCode::FAILURE;
        };
        if report.failure.is_some() {
            explain(options, &report);
            return ExitCode::FAILURE;
        }
        hash = hash.rotate_left(5) ^ report.hash;
        steps += report.steps;
        lasted += report.lasted;
        for (what, count) in report.counts {
            *total.entry(what).or_default() += count;
        }
    }
    if arguments.counts {
        for (what, count) in total {
            println!("{count:>10} {what}");
        }
    }
    println!(
        "{} seeds from {} passed: {steps} steps, {:.0} s of their time, in {:.1} s; \
         trace hash {hash:016x}",
        arguments.seeds,
        arguments.from,
        lasted.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
    );
    ExitCode::SUCCESS
}

/// Runs a failing seed once more, now keeping the trace's lines.
fn explain(options: Options, report: &Report) {
    let seed = report.seed;
    if options.lines == Lines::Hashed {
        let again = run(Options { lines: Lines::Kept, ..options });
        for line in &again.lines {
            eprintln!("{line}");
        }
    }
    let failure = report.failure.as_deref().unwrap_or("");
    eprintln!("seed {seed} FAILED (trace hash {:016x}) at {failure}", report.hash);
    eprintln!("see it again with: make simulate SEED={seed}");
}
