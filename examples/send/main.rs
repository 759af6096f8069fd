//! Signs and sends sample webhooks, as the providers would:
//!
//! ```text
//! cargo run --example send                                   # lists every event
//! cargo run --example send -- propexo DATA_UPDATE
//! cargo run --example send -- meterbase data.update --count 1000 --rate 100
//! ```
//!
//! It computes its signatures by itself, from the providers' documentation, so
//! that a mistake in the gateway's own code can't hide behind the same mistake
//! here.
#![allow(
    clippy::disallowed_methods,
    reason = "clocks are banned for the sake of wasm32; this runs natively"
)]

mod catalogue;
mod delivery;
mod plan;
mod report;
mod sample;
mod secret;
mod signing;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use catalogue::{Dialect, Event};
use delivery::Endpoint;
use plan::Plan;
use report::{Report, say};
use secret::Secret;

/// A run in which nobody listens ends after this many silences in a row, long
/// enough to see a Worker through a restart at ordinary rates.
const SILENCES_IN_A_ROW_MAX: u32 = 20;

/// Signs and sends sample webhooks of every provider.
#[derive(Parser)]
#[command(
    name = "send",
    after_help = "Without arguments, lists every dialect and event."
)]
struct Arguments {
    /// propexo, propify, meterbase or real-estate; `list` lists their events
    dialect: Option<String>,

    /// The event, such as DATA_UPDATE; left out, the dialect's events are listed
    event: Option<String>,

    /// Where the gateway is
    #[arg(long, value_name = "URL", default_value = "http://localhost:8787")]
    to: String,

    /// The source to send to, as configured in wrangler.toml [default: the dialect's name]
    #[arg(long)]
    source: Option<String>,

    /// The signing secret [default: the environment's PROPEXO_SECRET and so on, then .dev.vars]
    #[arg(long)]
    secret: Option<String>,

    /// The integration the body names
    #[arg(long, value_name = "ID")]
    integration: Option<String>,

    /// The record the body is about [default: a new one]
    #[arg(long, value_name = "ID")]
    record: Option<String>,

    /// How many to send
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,

    /// The most to send per second [default: each as soon as the last is answered]
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,

    /// Send the identical body each time, to see duplicates
    #[arg(long)]
    same: bool,

    /// Print curl commands instead of sending
    #[arg(long)]
    print: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every answer was a 200. What went wrong before there was an answer
/// is an error, which says what to do.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let name = match arguments.dialect.as_deref() {
        None | Some("list") => {
            say(&catalogue::everything());
            return Ok(true);
        }
        Some(name) => name,
    };
    let dialect = catalogue::dialect(name)?;
    let Some(event) = &arguments.event else {
        say(&dialect.listing());
        return Ok(true);
    };
    let event = dialect.event(event)?;
    let endpoint = Endpoint::new(
        &arguments.to,
        arguments.source.as_deref().unwrap_or(dialect.name),
    )?;
    let secret = Secret::find(arguments.secret.as_deref(), dialect.secret_name)?;
    let mut plan = Plan::new(dialect, event, arguments)?;
    if arguments.print {
        print(dialect, &endpoint, &secret, &mut plan, arguments.count)
    } else {
        send(dialect, event, &endpoint, &secret, &mut plan, arguments)
    }
}

fn print(
    dialect: &Dialect,
    endpoint: &Endpoint,
    secret: &Secret,
    plan: &mut Plan,
    count: u64,
) -> Result<bool, String> {
    for number in 0..count {
        let body = plan.body(number)?;
        say(&endpoint.curl(&dialect.signing.headers(&secret.value, &body), &body));
    }
    Ok(true)
}

fn send(
    dialect: &Dialect,
    event: &Event,
    endpoint: &Endpoint,
    secret: &Secret,
    plan: &mut Plan,
    arguments: &Arguments,
) -> Result<bool, String> {
    say(&format!(
        "{} {} to {}\n{}; secret from {}\n",
        dialect.name, event.name, endpoint.url, plan, secret.origin
    ));
    let mut report = Report::new(arguments.count);
    let mut silences: u32 = 0;
    for number in 0..arguments.count {
        wait_for_turn(report.started, number, arguments.rate);
        let body = plan.body(number)?;
        let headers = dialect.signing.headers(&secret.value, &body);
        match endpoint.post(&headers, &body) {
            Ok(answer) => {
                silences = 0;
                report.answered(answer);
            }
            Err(reason) if !report.ever_answered() => return Err(endpoint.unreachable(&reason)),
            Err(reason) => {
                silences = silences.saturating_add(1);
                report.unanswered(&reason);
                if silences >= SILENCES_IN_A_ROW_MAX {
                    report.finish();
                    return Err(endpoint.unreachable(&reason));
                }
            }
        }
    }
    report.finish();
    if let Some(advice) = report.advice(secret, endpoint, plan) {
        say(&format!("\n{advice}"));
    }
    Ok(report.all_kept())
}

/// Sends are due at even distances from the start, so that a slow answer
/// doesn't lower the rate of those after it.
fn wait_for_turn(started: Instant, number: u64, rate: Option<f64>) {
    let Some(rate) = rate else { return };
    let due = Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::MAX);
    thread::sleep(due.saturating_sub(started.elapsed()));
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a rate is a number above 0, such as 50 or 0.5".to_owned()),
    }
}
