//! What must be true when faults are over and everything is at rest.

mod ledger;
mod records;

use crate::fact::Content;
use crate::host::Intake;
use crate::reference::Reference;
use crate::world::World;

type Verdict = Result<(), String>;

/// The first thing that is wrong, if anything is.
pub fn check(mut world: World) -> Verdict {
    if let Some(complaint) = world.complaints.first() {
        return Err(complaint.clone());
    }
    let mut ledgers = Vec::new();
    for ledger in 0..world.hosts.len() {
        let name = &world.hosts[ledger].name;
        let of = format!("{}/{}", name.0, name.1);
        let reference = check_ledger(&mut world, ledger).map_err(|why| format!("{of}: {why}"))?;
        ledgers.push(reference);
    }
    check_answers(&world)?;
    records::check_nothing_else(&world, &ledgers)
}

fn check_ledger(world: &mut World, at: usize) -> Result<Reference, String> {
    let reference = replay(world, at)?;
    if reference.log.is_empty() {
        return Ok(reference);
    }
    ledger::check_log(world, at, &reference)?;
    ledger::check_once(world, at, &reference)?;
    if reference.is_unsure {
        return Ok(reference);
    }
    ledger::check_any_order(world, &reference)?;
    ledger::check_rest(world, at, &reference)?;
    // What isn't in the tables is lost with the object.
    world.hosts[at].die();
    let reopened = ledger::check_rest(world, at, &reference);
    let held = reopened.map_err(|why| format!("reopened: {why}"))?;
    ledger::check_dead(world, at, &reference, &held)?;
    ledger::check_not_applied(world, at, &held)?;
    records::check_ledger(world, at, &reference)?;
    records::check_d1(world, at, &reference, &held)?;
    records::check_notices(world, at, &reference, &held)?;
    records::check_integration(world, at, &reference)?;
    records::check_report(world, at)?;
    Ok(reference)
}

/// Every delivery that became durable got the answer that the reference
/// gives, in the order in which they were taken in.
fn replay(world: &World, ledger: usize) -> Result<Reference, String> {
    let mut reference = Reference::default();
    for intake in &world.hosts[ledger].taken {
        let expected = reference.take(intake, &world.facts, world.wanted);
        if (intake.status, intake.seq) != expected {
            return Err(format!(
                "fact {} became {} {}, not {expected:?}",
                intake.fact, intake.status, intake.seq
            ));
        }
    }
    reference.bring_in_all(&world.facts);
    Ok(reference)
}

/// Every 200 is in the log under the number that it gave.
fn check_answers(world: &World) -> Verdict {
    for answer in &world.answers {
        let fact = &world.facts[answer.fact];
        let Some(seq) = answer.seq else {
            if !matches!(fact.content, Content::Ping) {
                return Err(format!("fact {} was not kept", answer.fact));
            }
            continue;
        };
        let name = (fact.dialect, fact.integration.as_str());
        let host = world
            .hosts
            .iter()
            .find(|host| (host.name.0.as_str(), host.name.1.as_str()) == name)
            .ok_or_else(|| format!("fact {} went elsewhere", answer.fact))?;
        let known = |intake: &Intake| {
            let same = world.facts[intake.fact].identity == fact.identity;
            same && intake.seq == seq && intake.status == answer.status
        };
        if !host.taken.iter().any(known) {
            let (fact, status) = (answer.fact, answer.status);
            return Err(format!(
                "fact {fact} was answered {status} {seq}, and isn't kept"
            ));
        }
    }
    Ok(())
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> Verdict {
    if is == should {
        return Ok(());
    }
    Err(format!("{what}: {is:?}, not {should:?}"))
}
