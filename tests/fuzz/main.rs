//! What must hold for bytes that nobody foresaw. A target is a function that
//! panics where a property fails. It gets every file of `corpus/TARGET`, and
//! then, for some seconds, inputs bent out of these.
//!
//! An input that fails is made short and shown, with the seed that makes it
//! again. Once the cause is mended, keep it: copy the file that is named into
//! the target's corpus, under a name that says what it is.
//!
//! ```text
//! cargo test --test fuzz                               every target, 3 s each
//! LEASEWIRE_FUZZ_S=60 cargo test --test fuzz packs     one for longer
//! LEASEWIRE_FUZZ_SEED=7 cargo test --test fuzz packs   beginning with seed 7
//! ```
//!
//! Not bolero (0.13.7): within `cargo test` it sees no coverage either, replays a corpus but makes
//! new inputs of random bytes alone, so `bend` would stay a generator of its own, and its 44 crates
//! would take the place of `shrink` and the loop below, some 100 lines.

#![allow(
    clippy::disallowed_methods,
    reason = "runs where there is a clock, to stop in time"
)]

mod bend;
#[path = "../common/mod.rs"]
mod common;
mod corpus;
#[allow(dead_code, reason = "shared with the simulation, which uses all of it")]
#[path = "../simulation/random.rs"]
mod random;
mod shrink;
mod targets;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bend::bend;
use random::Random;
use targets::{TARGETS, Target};

/// How long each target runs unless LEASEWIRE_FUZZ_S says otherwise.
const RUN_S: u64 = 3;
/// An input that takes longer has found something.
const CASE_S_MAX: u64 = 10;
/// So many in a thousand are made from nothing.
const FRESH: u64 = 20;

thread_local! {
    static PANIC: RefCell<String> = RefCell::default();
}

fn main() -> ExitCode {
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|info| PANIC.set(info.to_string())));
    let chosen = TARGETS.iter().filter(|target| {
        let matches = |filter: &String| "fuzz".contains(filter) || target.name.contains(filter);
        filters.is_empty() || filters.iter().any(matches)
    });
    let seed = number("LEASEWIRE_FUZZ_SEED").unwrap_or_else(|| getrandom::u64().unwrap() >> 1);
    let time = Duration::from_secs(number("LEASEWIRE_FUZZ_S").unwrap_or(RUN_S));
    let failed = run_all(chosen.collect(), seed, time);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        println!("{failed} targets failed");
        ExitCode::FAILURE
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| {
        eprintln!("{variable} must be a whole number, not {text}");
        std::process::exit(2)
    }))
}

/// Runs the targets, as many at a time as there are processors; how many failed.
fn run_all(targets: Vec<&'static Target>, seed: u64, time: Duration) -> usize {
    let next = Mutex::new(targets.into_iter());
    let failed = Mutex::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(target) = next.lock().unwrap().next() else {
                        return;
                    };
                    match run(target, seed, time) {
                        Ok(summary) => println!("fuzz {}: {summary}", target.name),
                        Err(why) => {
                            *failed.lock().unwrap() += 1;
                            println!("fuzz {}: FAILED\n{why}", target.name);
                        }
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

fn run(target: &Target, first_seed: u64, time: Duration) -> Result<String, String> {
    let kept = corpus::of(target.name);
    for (name, input) in &kept {
        attempt(target, input).map_err(|why| format!("  {why}\n  {name}"))?;
    }
    let inputs: Vec<Vec<u8>> = kept.into_iter().map(|(_, input)| input).collect();
    let start = Instant::now();
    let mut seed = first_seed;
    while start.elapsed() < time {
        let input = make(&inputs, seed);
        attempt(target, &input).map_err(|why| report(target, seed, &input, &why))?;
        seed += 1;
    }
    let (kept, made) = (inputs.len(), seed - first_seed);
    Ok(format!(
        "{kept} kept and {made} new inputs, from seed {first_seed}"
    ))
}

/// The input of a seed.
fn make(kept: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    if random.chance(FRESH) {
        let length = random.below(200);
        return (0..length).map(|_| random.next() as u8).collect();
    }
    let which = random.below(kept.len() as u64) as usize;
    bend(kept[which].clone(), kept, &mut random)
}

/// Tries one input; the error says what failed.
fn attempt(target: &Target, input: &[u8]) -> Result<(), String> {
    let start = Instant::now();
    catch_unwind(AssertUnwindSafe(|| (target.check)(input))).map_err(|_| PANIC.take())?;
    let took = start.elapsed();
    if took > Duration::from_secs(CASE_S_MAX) {
        return Err(format!("took {took:?}, at most {CASE_S_MAX} s are usual"));
    }
    Ok(())
}

/// Makes a failing input short, writes it where it can be kept from, and says
/// all that is known of it.
fn report(target: &Target, seed: u64, input: &[u8], why: &str) -> String {
    let short = shrink::shrink(input, |input| attempt(target, input).is_err());
    let why = attempt(target, &short).err().unwrap_or(why.to_owned());
    let name = target.name;
    let file = corpus::put_aside(name, seed, &short);
    format!(
        "  {}\n  input: \"{}\"\n  again: LEASEWIRE_FUZZ_SEED={seed} cargo test --test fuzz {name}\n  \
         keep:  cp {file} tests/fuzz/corpus/{name}/NAME",
        why.replace('\n', "\n  "),
        short.escape_ascii(),
    )
}
