//! Whatever is lost, late, stale or swapped: in the end a record is the provider's.

use proptest::prelude::*;
use serde_json::Value;

use super::world::World;
use crate::common::{Database, diff, finish_replay, range, take};

/// What the provider does, and when we hear of it.
#[derive(Debug, Clone)]
enum Step {
    /// The field changes; the webhook comes after so many further steps, or never.
    Change {
        field: u8,
        value: u8,
        late: Option<u8>,
    },
    /// A read begins, shows how things were so many changes ago, and is answered
    /// after so many steps.
    Read { stale: u8, late: u8 },
    /// So many seconds go by.
    Wait(u16),
    /// Everything is replayed.
    Replay,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let late = prop_oneof![4 => (0_u8..6).prop_map(Some), 1 => Just(None)];
    let change = (0_u8..3, 0_u8..3, late).prop_map(|(field, value, late)| Step::Change {
        field,
        value,
        late,
    });
    let stale = prop_oneof![3 => Just(0_u8), 1 => 1_u8..3];
    let read = (stale, 0_u8..6).prop_map(|(stale, late)| Step::Read { stale, late });
    let step = prop_oneof![
        6 => change,
        3 => read,
        1 => (0_u16..200).prop_map(Step::Wait),
        1 => Just(Step::Replay),
    ];
    proptest::collection::vec(step, 0..40)
}

enum Coming {
    Webhook(String),
    Read(u64, String),
}

/// The provider's truth: three fields and when it changed last.
struct Provider {
    fields: [u8; 3],
    changes: u32,
    is_dated: bool,
}

impl Provider {
    fn json(&self) -> String {
        let [a, b, c] = self.fields;
        let fields = format!(r#"{{"id":"l","a":{a},"b":{b},"c":{c}"#);
        match self.is_dated {
            // Two changes share a time.
            true => format!(
                r#"{fields},"updated_at":"2026-03-01T10:{:02}:00.000Z"}}"#,
                self.changes / 2
            ),
            false => format!("{fields}}}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever was lost, late, stale or swapped: a read that began after the last
    /// event ends it, and a replay of everything changes nothing any more.
    #[test]
    fn a_read_at_the_end_has_the_last_word(steps in steps(), is_dated: bool) {
        let database = Database::default();
        let mut world = World::new(&database);
        let mut provider = Provider { fields: [0; 3], changes: 0, is_dated };
        let mut past = vec![provider.json()];
        let mut coming: Vec<(usize, Coming)> = Vec::new();
        let arrive = |world: &mut World, coming: &mut Vec<(usize, Coming)>, until: usize| {
            coming.sort_by_key(|(at, _)| *at);
            while coming.first().is_some_and(|(at, _)| *at <= until) {
                match coming.remove(0).1 {
                    Coming::Webhook(body) => drop(take(&mut world.ledger, &body, world.now)),
                    Coming::Read(asked_seq, json) => drop(world.read(asked_seq, &json)),
                }
                world.now = world.now.plus_s(1);
            }
        };
        for (at, step) in steps.iter().enumerate() {
            arrive(&mut world, &mut coming, at);
            match step {
                Step::Change { field, value, late } => {
                    let name = ["a", "b", "c"][usize::from(*field)];
                    let field = &mut provider.fields[usize::from(*field)];
                    let previous = format!(r#"{{"{name}":{field}}}"#);
                    let new = format!(r#"{{"{name}":{value}}}"#);
                    if *field != *value {
                        *field = *value;
                        provider.changes += 1;
                        past.push(provider.json());
                        if let Some(late) = late {
                            let body = diff("leases", "l", &previous, &new);
                            coming.push((at + usize::from(*late), Coming::Webhook(body)));
                        }
                    }
                }
                Step::Read { stale, late } => {
                    let shown = past.len().saturating_sub(1 + usize::from(*stale));
                    let read = Coming::Read(world.ledger.last_seq(), past[shown].clone());
                    coming.push((at + usize::from(*late), read));
                }
                Step::Wait(seconds) => world.now = world.now.plus_s(u64::from(*seconds)),
                Step::Replay => {
                    let last = world.ledger.last_seq();
                    if last > 0 {
                        world.ledger.ask_for_replay(&range(1, last), world.now).unwrap();
                        finish_replay(&mut world.ledger, "propexo", world.now);
                    }
                }
            }
        }
        arrive(&mut world, &mut coming, usize::MAX);
        // The last reads show the truth; the fourth is believed.
        let mut is_over = false;
        for attempt in 1..=4 {
            world.now = world.now.plus_s(30);
            let asked_seq = world.ledger.last_seq();
            let merged = world.merge(asked_seq, attempt == 4, &[("l", &provider.json())]);
            is_over = !merged.outcomes[0].is_owed();
            if is_over {
                break;
            }
        }
        prop_assert!(is_over);
        let check = |world: &World| {
            let row = world.record();
            let (fields, flags) = row.split_once('|').unwrap();
            let fields: Value = serde_json::from_str(fields).unwrap();
            let truth: Value = serde_json::from_str(&provider.json()).unwrap();
            assert_eq!((fields, flags), (truth, "0|0|"));
        };
        check(&world);
        // Read again in the order of the log, all of it is the same.
        let last = world.ledger.last_seq();
        world.ledger.ask_for_replay(&range(1, last), world.now).unwrap();
        finish_replay(&mut world.ledger, "propexo", world.now);
        check(&world);
        // Also where only the webhooks are asked for.
        let mut request = range(1, last);
        request.events = Some(vec!["record.updated".to_owned()]);
        world.ledger.ask_for_replay(&request, world.now).unwrap();
        finish_replay(&mut world.ledger, "propexo", world.now);
        check(&world);
    }
}
