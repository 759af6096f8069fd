//! The service in a simulated world: the real core, and around it senders, a
//! queue, a D1 and storage that fail in every way they may, driven by one
//! seed. When the faults are over, what the service holds must be what a
//! naive reference computes.
//!
//! Without arguments: 1,000 seeds, and proof that each of the deliberate bugs
//! is caught; and the same with a provider that is asked, see [`mirror`].
//! `--seeds N` runs N seeds, `--seed N` tells what happens under
//! one, `--bug NAME` puts a bug in until it is caught, and `--outage S` takes D1 away for so many
//! seconds under load. `--mirror` is for the worlds with a provider.

mod bugs;
mod calls;
mod check;
mod clock;
mod consumer;
mod d1;
mod edge;
mod fact;
mod faults;
mod forwarding;
mod host;
mod mirror;
mod occupancy;
mod operator;
mod outage;
mod plan;
mod provider;
mod queue;
mod random;
mod reference;
mod sender;
mod storage;
mod ties;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use bugs::Bug;
use world::World;

const SEEDS: u64 = 1_000;
/// Within how many seeds a bug must be caught.
const BUG_SEEDS: u64 = 200;
/// How many failing seeds are printed.
const SHOWN_MAX: usize = 20;

const USAGE: &str = "usage: simulation [--mirror] [--seeds N | --seed N | --outage S] [--bug NAME]";

/// Which worlds are lived through.
#[derive(Clone, Copy, Default)]
struct Worlds {
    bug: Option<Bug>,
    /// Those of the mirror.
    are_mirrors: bool,
}

#[derive(Default)]
struct Arguments {
    seeds: Option<u64>,
    seed: Option<u64>,
    outage: Option<u64>,
    is_mirror: bool,
    bug: Option<Bug>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let Arguments {
        seeds,
        seed,
        outage,
        is_mirror,
        bug,
    } = arguments;
    let worlds = Worlds {
        bug,
        are_mirrors: is_mirror || bug.is_some_and(Bug::is_of_mirror),
    };
    if let Some(length_s) = outage {
        return tell_outage(length_s);
    }
    let (passed, failed) = match seed {
        Some(seed) => one(seed, worlds),
        None => match (seeds, bug) {
            (None, Some(bug)) => bugs(&[bug]),
            (None, None) if is_mirror => mirrors(),
            (None, None) => everything(),
            (Some(seeds), _) => many(seeds, worlds),
        },
    };
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reads the arguments; nothing is to be done if `cargo test` was asked for
/// tests of other names.
fn parse(mut given: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments::default();
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or(format!("{name} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("not a number: {text}"));
        match name.as_str() {
            "--seeds" => arguments.seeds = Some(number(value()?)?),
            "--seed" => arguments.seed = Some(number(value()?)?),
            "--outage" => arguments.outage = Some(number(value()?)?),
            "--bug" => {
                let bug = value()?;
                let known = || {
                    let names = Bug::all().map(|(_, name, _)| name);
                    names.collect::<Vec<_>>()
                };
                let unknown = || format!("no bug {bug}; there are {}", known().join(", "));
                arguments.bug = Some(Bug::named(&bug).ok_or_else(unknown)?);
            }
            "--mirror" => arguments.is_mirror = true,
            "--list" => return Ok(None),
            "--nocapture" | "--quiet" | "-q" => {}
            flag if flag.starts_with('-') => return Err(format!("unknown: {flag}")),
            filter if "simulation".contains(filter) => {}
            _ => return Ok(None),
        }
    }
    Ok(Some(arguments))
}

/// One seed, and all that happens under it.
fn one(seed: u64, worlds: Worlds) -> (u64, u64) {
    match run(seed, worlds, true, &AtomicBool::new(true)) {
        Ok(()) => (1, 0),
        Err(why) => {
            println!("seed {seed}: {why}");
            (0, 1)
        }
    }
}

fn many(seeds: u64, worlds: Worlds) -> (u64, u64) {
    let failures = failures(seeds, worlds, usize::MAX);
    for (seed, why) in failures.iter().take(SHOWN_MAX) {
        println!("seed {seed}: {why}");
    }
    if let Some((seed, _)) = failures.first() {
        let mirror = if worlds.are_mirrors { "--mirror " } else { "" };
        println!("to see it: npm run simulate -- {mirror}--seed {seed}");
    }
    let failed = failures.len() as u64;
    (seeds - failed, failed)
}

/// The worlds, the bugs and the outages.
fn everything() -> (u64, u64) {
    let all: Vec<Bug> = Bug::ALL.iter().map(|(bug, ..)| *bug).collect();
    let parts = [
        many(SEEDS, Worlds::default()),
        bugs(&all),
        outages(),
        mirrors(),
    ];
    sum(&parts)
}

/// The worlds of the mirror, and their bugs.
fn mirrors() -> (u64, u64) {
    let all: Vec<Bug> = Bug::OF_MIRROR.iter().map(|(bug, ..)| *bug).collect();
    let worlds = Worlds {
        bug: None,
        are_mirrors: true,
    };
    sum(&[many(SEEDS, worlds), bugs(&all)])
}

fn sum(parts: &[(u64, u64)]) -> (u64, u64) {
    parts.iter().fold((0, 0), |totals, (passed, failed)| {
        (totals.0 + passed, totals.1 + failed)
    })
}

/// Runs each of the deliberate bugs until it is caught.
fn bugs(wanted: &[Bug]) -> (u64, u64) {
    let mut passed = 0;
    for (bug, name, what) in Bug::all().filter(|(bug, ..)| wanted.contains(bug)) {
        let worlds = Worlds {
            bug: Some(bug),
            are_mirrors: bug.is_of_mirror(),
        };
        match failures(BUG_SEEDS, worlds, 1).first() {
            Some((seed, why)) => {
                passed += 1;
                println!("bug {name} ({what}): caught by seed {seed}: {why}");
            }
            None => println!("bug {name} ({what}): NOT CAUGHT in {BUG_SEEDS} seeds"),
        }
    }
    (passed, wanted.len() as u64 - passed)
}

/// A minute and an hour without D1.
fn outages() -> (u64, u64) {
    let ended = [60, 3_600].map(tell_outage);
    let passed = ended.iter().filter(|code| **code == ExitCode::SUCCESS);
    let passed = passed.count() as u64;
    (passed, ended.len() as u64 - passed)
}

fn tell_outage(length_s: u64) -> ExitCode {
    match outage::outage(1, length_s) {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("D1 away for {length_s} s: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Failing seeds among 1 to `seeds`, in order, until there are `enough`.
fn failures(seeds: u64, worlds: Worlds, enough: usize) -> Vec<(u64, String)> {
    let (next, is_curious) = (AtomicU64::new(1), AtomicBool::new(true));
    let (send, receive) = mpsc::channel();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (send, next, is_curious) = (send.clone(), &next, &is_curious);
            scope.spawn(move || {
                while is_curious.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        return;
                    }
                    if let Err(why) = run(seed, worlds, false, is_curious) {
                        let _ = send.send((seed, why));
                    }
                }
            });
        }
        drop(send);
        let mut failures = Vec::new();
        for failure in receive {
            failures.push(failure);
            if failures.len() >= enough {
                is_curious.store(false, Ordering::Relaxed);
            }
        }
        failures.sort();
        failures
    })
}

fn run(seed: u64, worlds: Worlds, is_told: bool, is_curious: &AtomicBool) -> Result<(), String> {
    let Worlds { bug, are_mirrors } = worlds;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let world = World::live(seed, bug, are_mirrors, is_told, is_curious);
        match world {
            Some(world) if are_mirrors => mirror::check(&world),
            Some(world) => check::check(world),
            None => Ok(()),
        }
    }));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}
