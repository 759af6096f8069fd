//! D1 away under a steady load: how long it takes until all that waited has
//! arrived. Nothing else fails.

use crate::check;
use crate::clock::{HOUR, MINUTE, SECOND};
use crate::faults::Trouble;
use crate::provider::Provider;
use crate::world::{Step, World};

const INTEGRATIONS: [(&str, &str); 4] = [
    ("propexo", "int_1"),
    ("propify", "int_1"),
    ("meterbase", "int_1"),
    ("real-estate", "default"),
];

/// Events a second, of all integrations, from a minute before D1 goes until a
/// minute after it is back.
const RATE: u64 = 2;

/// Lives through an outage of `length_s` and tells how it went; an error if
/// anything was lost, dead or quarantined for it.
pub fn outage(seed: u64, length_s: u64) -> Result<String, String> {
    let mut world = World::new(seed, None, false);
    let (from_ms, to_ms) = (MINUTE, MINUTE + length_s * SECOND);
    for (dialect, integration) in INTEGRATIONS {
        let provider = Provider::new(dialect, integration, false, &mut world.random);
        world.providers.push(provider);
    }
    world.faults.d1_trouble = Trouble::Away;
    world.faults.d1_down = Some((from_ms, to_ms));
    let events = (to_ms + MINUTE) / SECOND * RATE;
    for event in 0..events {
        let provider = world.random.below(INTEGRATIONS.len() as u64) as usize;
        world
            .clock
            .after(event * SECOND / RATE, Step::Create(provider));
    }
    world.clock.after(to_ms, Step::Heal);
    let (mut behind, mut waiting, mut done_ms) = (0, Vec::new(), None);
    let mut next_look_ms = to_ms;
    while let Some(step) = world.clock.next() {
        world.step(step);
        let now_ms = world.clock.now_ms;
        // By then all is at rest. What providers repeat for days is no part of it.
        if now_ms > to_ms + 2 * HOUR {
            break;
        }
        if done_ms.is_some() || now_ms < next_look_ms {
            continue;
        }
        next_look_ms = now_ms + SECOND;
        let states = states(&mut world);
        if waiting.is_empty() {
            waiting = states.iter().map(|(last, _)| *last).collect();
            behind = states
                .iter()
                .map(|(last, confirmed)| last - confirmed)
                .sum();
        }
        let mut all = waiting.iter().zip(&states);
        if all.all(|(last, (_, confirmed))| confirmed >= last) {
            done_ms = Some(now_ms - to_ms);
        }
    }
    let done_ms = done_ms.ok_or("what waited has not arrived")?;
    let count = |world: &mut World, of: fn(&leasewire::ledger::State) -> u64| -> u64 {
        let hosts = world.hosts.iter_mut();
        let states = hosts.map(|host| host.core().and_then(|core| core.state()));
        states.map(|state| of(&state.unwrap().unwrap())).sum()
    };
    let dead = count(&mut world, |state| state.dead);
    let not_applied: usize = world
        .hosts
        .iter()
        .map(|host| {
            host.database
                .events("WHERE quarantine = 'not_applied'")
                .len()
        })
        .sum();
    let accepted = count(&mut world, |state| state.last_seq);
    check::check(world)?;
    if dead > 0 || not_applied > 0 {
        return Err(format!(
            "{dead} are dead, {not_applied} couldn't be applied"
        ));
    }
    let s = done_ms as f64 / SECOND as f64;
    Ok(format!(
        "D1 away for {length_s} s, {RATE} events/s: of {accepted} none lost, dead or quarantined; \
         the last of {behind} that waited arrived {s:.0} s after it was back, {:.1} events/s",
        behind as f64 / s.max(1.0)
    ))
}

/// Each ledger's last number and its watermark.
fn states(world: &mut World) -> Vec<(u64, u64)> {
    let hosts = world.hosts.iter_mut();
    let states = hosts.map(|host| host.core().and_then(|core| core.state()));
    states
        .map(|state| {
            state
                .unwrap()
                .map_or((0, 0), |state| (state.last_seq, state.confirmed_seq))
        })
        .collect()
}
