//! Who goes to a ledger with whom.

use leasewire::edge::group::{
    BYTES_MAX, CALLS_MAX, Groups, LEDGER_MS_MAX, LOST_S, Look, UNDER_WAY_MAX,
};
use leasewire::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

const LEDGER: &str = "propexo/int_1";

fn at(s: u64) -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000).plus_s(s)
}

fn join(groups: &mut Groups<&'static str>, name: &'static str) -> u64 {
    groups.join(LEDGER, name.into(), name, at(0))
}

/// Who sets out now.
fn set_out(groups: &mut Groups<&'static str>, now: Timestamp) -> Option<Vec<&'static str>> {
    let group = groups.set_out(LEDGER, now)?;
    for waiting in &group {
        assert_eq!(waiting.call, waiting.answer.as_bytes());
    }
    Some(group.iter().map(|waiting| waiting.answer).collect())
}

#[test]
fn who_meets_nobody_goes_alone_and_leaves_nothing_behind() {
    let mut groups = Groups::default();
    assert_eq!(set_out(&mut groups, at(0)), None);
    join(&mut groups, "a");
    assert_eq!(set_out(&mut groups, at(0)), Some(vec!["a"]));
    groups.end(LEDGER, at(0));
    assert_eq!(groups.count(), 0);
}

/// Who waits takes the line along, looks for its own answer when it is back, and
/// gives up in time, be it that nobody has taken it.
#[test]
fn who_waits_takes_the_line_and_gives_up_in_time() {
    let mut groups = Groups::default();
    let mut first = groups.wait(LEDGER, vec![1], "a", at(0));
    let Look::Take(group) = groups.look(&mut first, false, at(0)) else {
        panic!("it stands there");
    };
    assert_eq!(group.ms, LEDGER_MS_MAX);
    groups.end(LEDGER, group.since);
    assert!(matches!(groups.look(&mut first, true, at(1)), Look::End));
    for _ in 0..UNDER_WAY_MAX {
        join(&mut groups, "other");
        groups.set_out(LEDGER, at(0)).unwrap();
    }
    let mut late = groups.wait(LEDGER, vec![2], "b", at(0));
    let mut looks = (0..6).map(|_| match groups.look(&mut late, false, at(3)) {
        Look::Wait(ms) => ms,
        _ => 0,
    });
    assert_eq!(looks.by_ref().collect::<Vec<_>>(), [1, 2, 4, 8, 16, 16]);
    drop(looks);
    assert!(matches!(groups.look(&mut late, false, at(4)), Look::End));
    for _ in 0..UNDER_WAY_MAX {
        groups.end(LEDGER, at(0));
    }
    assert_eq!(groups.count(), 0);
}

#[test]
fn while_enough_are_under_way_the_others_gather_in_order() {
    let mut groups = Groups::default();
    for under_way in 0..UNDER_WAY_MAX {
        join(&mut groups, "first");
        assert!(set_out(&mut groups, at(under_way as u64)).is_some());
    }
    let tickets = ["a", "b", "c", "d"].map(|name| join(&mut groups, name));
    assert_eq!(set_out(&mut groups, at(1)), None);
    assert!(groups.leave(LEDGER, tickets[1]));
    assert!(!groups.leave(LEDGER, tickets[1]));
    groups.end(LEDGER, at(0));
    assert_eq!(set_out(&mut groups, at(2)), Some(vec!["a", "c", "d"]));
    assert!(!groups.leave(LEDGER, tickets[0]), "it has set out");
    assert_eq!(set_out(&mut groups, at(2)), None);
}

#[test]
fn ledgers_have_lines_of_their_own() {
    let mut groups = Groups::default();
    for ledger in ["a/1", "a/2", "b/1"] {
        groups.join(ledger, vec![1], ledger, at(0));
    }
    let group = groups.set_out("a/2", at(0)).unwrap();
    assert_eq!(group[0].answer, "a/2");
    assert_eq!(group.len(), 1);
    assert_eq!(groups.count(), 3);
}

#[test]
fn no_group_is_too_large() {
    let mut groups = Groups::default();
    for n in 0..CALLS_MAX + 3 {
        groups.join(LEDGER, vec![0], n, at(0));
    }
    assert_eq!(groups.set_out(LEDGER, at(0)).unwrap().len(), CALLS_MAX);
    groups.end(LEDGER, at(0));
    assert_eq!(groups.set_out(LEDGER, at(1)).unwrap().len(), 3);
    groups.end(LEDGER, at(1));

    for bytes in [BYTES_MAX + 1, BYTES_MAX - 1, 1, 1] {
        groups.join(LEDGER, vec![0; bytes], bytes, at(2));
    }
    let mut sizes = Vec::new();
    while let Some(group) = groups.set_out(LEDGER, at(2)) {
        sizes.push(group.len());
        groups.end(LEDGER, at(2));
    }
    assert_eq!(sizes, [1, 2, 1]);
}

#[test]
fn a_group_that_never_comes_back_holds_nobody_up_for_ever() {
    let mut groups = Groups::default();
    for _ in 0..UNDER_WAY_MAX {
        join(&mut groups, "lost");
        assert!(set_out(&mut groups, at(0)).is_some());
    }
    groups.join(LEDGER, "a".into(), "a", at(1));
    assert_eq!(set_out(&mut groups, at(LOST_S - 1)), None);
    assert_eq!(set_out(&mut groups, at(LOST_S)), Some(vec!["a"]));
    // Where one of them comes back all the same, it is nobody's end.
    groups.end(LEDGER, at(0));
    groups.end(LEDGER, at(LOST_S));
    assert_eq!(groups.count(), 0);
}

#[test]
fn who_has_gone_from_the_line_is_not_taken_along() {
    let mut groups = Groups::default();
    let gone = join(&mut groups, "gone");
    groups.join("propexo/int_2", vec![1], "gone, too", at(0));
    groups.join(LEDGER, "a".into(), "a", at(1));
    assert_eq!(set_out(&mut groups, at(LOST_S)), Some(vec!["a"]));
    assert!(!groups.leave(LEDGER, gone));
    groups.end(LEDGER, at(LOST_S));
    assert_eq!(
        groups.count(),
        0,
        "nor is anything left of the other ledger"
    );

    // A clock that goes backwards makes nobody older.
    groups.join(LEDGER, "b".into(), "b", at(LOST_S));
    assert_eq!(set_out(&mut groups, at(0)), Some(vec!["b"]));
}

#[derive(Debug, Clone)]
enum Step {
    Join,
    SetOut,
    End(prop::sample::Index),
    Leave(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Join),
        3 => Just(Step::SetOut),
        2 => any::<prop::sample::Index>().prop_map(Step::End),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whichever order, each delivery sets out once, in
    /// the order of the line, or has left; and never too many at a time.
    #[test]
    fn each_sets_out_once_and_in_order(steps in vec(step(), 0..200)) {
        let mut groups = Groups::default();
        let (mut waiting, mut under_way, mut now) = (Vec::new(), Vec::new(), 0);
        for step in steps {
            match step {
                Step::Join => waiting.push(groups.join(LEDGER, vec![0], (), Timestamp::from_ms(now))),
                Step::SetOut => {
                    now += 1;
                    // Nothing gets lost here.
                    let time = Timestamp::from_ms(now);
                    let group = groups.set_out(LEDGER, time);
                    let may = under_way.len() < UNDER_WAY_MAX && !waiting.is_empty();
                    prop_assert_eq!(group.is_some(), may);
                    if let Some(group) = group {
                        let tickets: Vec<_> = group.iter().map(|one| one.ticket).collect();
                        let count = waiting.len().min(CALLS_MAX);
                        let first: Vec<_> = waiting.drain(..count).collect();
                        prop_assert_eq!(tickets, first);
                        under_way.push(time);
                    }
                }
                Step::End(which) if !under_way.is_empty() => {
                    groups.end(LEDGER, under_way.swap_remove(which.index(under_way.len())));
                }
                Step::Leave(which) if !waiting.is_empty() => {
                    let ticket = waiting.remove(which.index(waiting.len()));
                    prop_assert!(groups.leave(LEDGER, ticket));
                }
                Step::End(_) | Step::Leave(_) => {}
            }
            let is_idle = waiting.is_empty() && under_way.is_empty();
            prop_assert_eq!(groups.count(), usize::from(!is_idle));
        }
    }
}
