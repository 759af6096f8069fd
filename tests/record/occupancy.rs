//! Occupancy: every turn of a unit is noticed once, whatever comes twice, late
//! or in another order.

use leasewire::json::Object;
use leasewire::ledger::Ledger;
use leasewire::projection::Projection;
use leasewire::record::occupancy::{Occupancy, POINTS_MAX, Sight, Timeline};
use leasewire::signature::DedupeKey;
use leasewire::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::{Database, at, delivery, diff};

const VACANT: Option<Occupancy> = Some(Occupancy::Vacant);
const OCCUPIED: Option<Occupancy> = Some(Occupancy::Occupied);

#[test]
fn what_fields_say() {
    for (fields, says) in [
        (r#"{"status":"vacant"}"#, VACANT),
        (r#"{"status":"Vacant-Unrented"}"#, VACANT),
        (r#"{"status":" VACANT rented ready "}"#, VACANT),
        (r#"{"status":"unoccupied"}"#, VACANT),
        (r#"{"status":"occupied"}"#, OCCUPIED),
        (r#"{"status":"Occupied No Notice"}"#, OCCUPIED),
        (r#"{"status":"down"}"#, None),
        (r#"{"status":"vacantly"}"#, None),
        (r#"{"status":""}"#, None),
        (r#"{"status":7}"#, None),
        (r#"{"is_vacant":true}"#, VACANT),
        (r#"{"is_vacant":false}"#, OCCUPIED),
        (r#"{"is_vacant":null}"#, None),
        (r#"{"is_vacant":"true"}"#, None),
        (r#"{"current_lease":null}"#, VACANT),
        (r#"{"current_lease":""}"#, VACANT),
        (r#"{"current_lease":"lease_1"}"#, OCCUPIED),
        (r#"{"current_lease":{"id":"lease_1"}}"#, OCCUPIED),
        // The first one that says it is believed.
        (r#"{"current_lease":null,"is_vacant":false}"#, OCCUPIED),
        (r#"{"current_lease":null,"status":"occupied"}"#, OCCUPIED),
        (r#"{"is_vacant":true,"status":"occupied"}"#, OCCUPIED),
        (r#"{"is_vacant":true,"status":"model unit"}"#, VACANT),
        (r#"{"rent":1}"#, None),
        ("{}", None),
    ] {
        let fields = Object::parse(fields).unwrap();
        assert_eq!(Occupancy::of(&fields), says, "{}", fields.to_json());
    }
}

#[test]
fn what_changes_say_of_the_time_before() {
    let fields = Object::parse(r#"{"status":"occupied","current_lease":{"id":"l"},"rent":2}"#);
    let fields = fields.unwrap();
    for (changes, says) in [
        (r#"{"status":{"old":"vacant","new":"occupied"}}"#, VACANT),
        (
            r#"{"status":{"old":"Occupied - notice","new":"occupied"}}"#,
            OCCUPIED,
        ),
        // What stays as it is was so before.
        (r#"{"current_lease":{"old":null,"new":"l"}}"#, OCCUPIED),
        (
            r#"{"status":{"old":null,"new":"occupied"},"current_lease":{"old":null,"new":"l"}}"#,
            VACANT,
        ),
        (
            r#"{"status":{"new":"occupied"},"is_vacant":{"old":true}}"#,
            VACANT,
        ),
        (r#"{"rent":{"old":1,"new":2}}"#, None),
        (r#"{"status":"occupied"}"#, None),
        ("{}", None),
    ] {
        let changes = Object::parse(changes).unwrap();
        assert_eq!(
            Occupancy::before(&fields, &changes),
            says,
            "{}",
            changes.to_json()
        );
    }
}

/// One ledger, and the notices that D1 has of its events.
struct World<'a> {
    dialect: &'static str,
    ledger: Ledger<&'a Database>,
    d1: &'a Database,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(dialect: &'static str, database: &'a Database, d1: &'a Database) -> Self {
        d1.migrate();
        Self {
            dialect,
            ledger: Ledger::open(database).unwrap(),
            d1,
            now: at("2026-03-01T00:00:00Z"),
        }
    }

    /// Takes it in and forwards it, twice; gives what it says of notices.
    fn take(&mut self, body: &str) -> String {
        self.now = self.now.plus_s(1);
        let delivery = delivery(self.dialect, "i", body);
        let taken = self.ledger.intake(&delivery, self.now).unwrap();
        self.ledger.intake(&delivery, self.now).unwrap();
        let batch = self.ledger.next_batch().unwrap();
        self.ledger.sent(batch.through, self.now);
        for pack in &batch.packs {
            let read = Projection::read(&pack.text).unwrap();
            for _ in 0..2 {
                for statement in read.statements(self.now, self.now) {
                    self.d1.run(&statement);
                }
            }
            self.ledger.confirm(read.pack, self.now).unwrap();
        }
        let data = self.ledger.data(taken.seq).unwrap().unwrap_or_default();
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        data["notices"].to_string()
    }

    fn notices(&self) -> Vec<String> {
        let sql = "SELECT seq, kind, model, record_id, at FROM notices ORDER BY seq, kind";
        self.d1.dump(sql)
    }
}

fn propexo(record: &str, previous: &str, new: &str) -> String {
    diff("units", record, previous, new)
}

#[test]
fn changes_without_a_time() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let (vacant, occupied) = (r#"{"status":"vacant"}"#, r#"{"status":"occupied"}"#);
    for (body, says) in [
        // What a unit was before is stated.
        (propexo("u1", vacant, occupied), r#"["unit.occupied"]"#),
        (propexo("u1", r#"{"rent":1}"#, r#"{"rent":2}"#), "null"),
        // The other field says the same again.
        (
            propexo("u1", r#"{"is_vacant":true}"#, r#"{"is_vacant":false}"#),
            "null",
        ),
        (propexo("u1", occupied, vacant), r#"["unit.vacated"]"#),
        // What says nothing changes nothing, and neither does what comes then.
        (
            propexo("u1", vacant, r#"{"status":"down","is_vacant":null}"#),
            "null",
        ),
        (
            propexo("u1", r#"{"status":"down"}"#, r#"{"status":"Vacant"}"#),
            "null",
        ),
        (
            propexo("u1", r#"{"status":"Vacant"}"#, r#"{"status":"Occupied"}"#),
            r#"["unit.occupied"]"#,
        ),
        // Nothing is known of it before.
        (propexo("u2", "{}", vacant), "null"),
        (propexo("u2", "{}", occupied), r#"["unit.occupied"]"#),
        // Only units are occupied.
        (
            propexo("u3", vacant, occupied).replace("units", "leases"),
            "null",
        ),
        (
            r#"{"event":"JOB_SUCCESS","job_id":"j","status":"vacant"}"#.to_owned(),
            "null",
        ),
    ] {
        assert_eq!(world.take(&body), says, "{body}");
    }
    let notices = [
        "1|unit.occupied|units|u1|2026-03-01T00:00:01.000000000Z",
        "4|unit.vacated|units|u1|2026-03-01T00:00:04.000000000Z",
        "7|unit.occupied|units|u1|2026-03-01T00:00:07.000000000Z",
        "9|unit.occupied|units|u2|2026-03-01T00:00:09.000000000Z",
    ];
    assert_eq!(world.notices(), notices);
}

/// Whatever says neither in between, the last state that was known counts; and
/// what is stated counts in whichever order it comes.
#[test]
fn turns_across_states_that_say_neither() {
    let field = |name: &str, value: &str| format!(r#"{{"{name}":{value}}}"#);
    let status = |word: &str| field("status", &format!("\"{word}\""));
    let notice = |kind: &str| format!(r#"["unit.{kind}"]"#);
    let none = || "null".to_owned();
    let cases: Vec<Vec<(String, String, String)>> = vec![
        vec![
            (status("Occupied"), status("Notice Unrented"), none()),
            (
                status("Notice Unrented"),
                status("Vacant Unrented"),
                notice("vacated"),
            ),
            (status("Vacant Unrented"), status("Down"), none()),
            (status("Down"), status("Model"), none()),
            (status("Model"), status("Vacant"), none()),
            (status("Vacant"), field("status", "null"), none()),
            (
                field("status", "null"),
                status("Occupied"),
                notice("occupied"),
            ),
        ],
        vec![
            (
                field("is_vacant", "true"),
                field("is_vacant", "null"),
                none(),
            ),
            (
                field("is_vacant", "null"),
                field("is_vacant", "false"),
                notice("occupied"),
            ),
            ("{}".to_owned(), field("is_vacant", "null"), none()),
            ("{}".to_owned(), field("is_vacant", "\"?\""), none()),
            (
                "{}".to_owned(),
                field("is_vacant", "true"),
                notice("vacated"),
            ),
        ],
        // Without a word on what it was before.
        vec![
            ("{}".to_owned(), status("occupied"), none()),
            ("{}".to_owned(), status("on notice"), none()),
            ("{}".to_owned(), status("vacant"), notice("vacated")),
        ],
        // The second change comes first.
        vec![
            (status("occupied"), status("vacant"), notice("vacated")),
            (status("vacant"), status("occupied"), notice("occupied")),
        ],
    ];
    for (n, events) in cases.iter().enumerate() {
        let (database, d1) = (Database::default(), Database::default());
        let mut world = World::new("propexo", &database, &d1);
        for (previous, new, says) in events {
            // What it goes by must outlast the memory.
            world.ledger = Ledger::open(&database).unwrap();
            let body = propexo("u1", previous, new);
            assert_eq!(&world.take(&body), says, "case {n}: {body}");
        }
    }
}

/// A creation is older than what is known, and no news of the unit.
#[test]
fn a_late_creation_reveals_no_turn() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let new = |fields: &str| {
        format!(r#"{{"meta":{{"object":"units"}},"record_id":"u1","payload":{fields}}}"#)
    };
    let down = propexo("u1", r#"{"status":"occupied"}"#, r#"{"status":"down"}"#);
    assert_eq!(world.take(&down), "null");
    // It fills in what says that the unit was vacant once.
    let created = new(r#"{"status":"vacant","is_vacant":true}"#);
    assert_eq!(world.take(&created), "null");
    let vacant = propexo("u1", r#"{"status":"down"}"#, r#"{"status":"vacant"}"#);
    assert_eq!(world.take(&vacant), r#"["unit.vacated"]"#);
}

fn meterbase(minute: u8, status: &str, before: Option<&str>) -> String {
    let changes = before.map_or(String::new(), |before| {
        format!(r#","changes":{{"status":{{"old":"{before}","new":"{status}"}}}}"#)
    });
    format!(
        r#"{{"event":"data.update","timestamp":"2026-02-28T23:{minute:02}:00Z","connection_id":"i","resource_type":"unit","data":{{"id":"u1","status":"{status}"}}{changes}}}"#
    )
}

#[test]
fn late_events_reveal_what_lay_between() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("meterbase", &database, &d1);
    for (body, says) in [
        (meterbase(10, "vacant", None), "null"),
        (meterbase(30, "vacant", None), "null"),
        // It was occupied in between.
        (
            meterbase(20, "occupied", None),
            r#"["unit.occupied","unit.vacated"]"#,
        ),
        // Before it and behind it: nothing new.
        (meterbase(15, "vacant", Some("vacant")), "null"),
        (meterbase(18, "occupied", None), "null"),
        // Older than all that is known.
        (meterbase(5, "occupied", None), r#"["unit.vacated"]"#),
        // An event is missing between this one and the last.
        (
            meterbase(50, "vacant", Some("occupied")),
            r#"["unit.occupied","unit.vacated"]"#,
        ),
        (meterbase(40, "occupied", Some("vacant")), "null"),
    ] {
        assert_eq!(world.take(&body), says, "{body}");
    }
    let notices = [
        "3|unit.occupied|units|u1|2026-02-28T23:20:00.000000000Z",
        "3|unit.vacated|units|u1|2026-02-28T23:30:00.000000000Z",
        "6|unit.vacated|units|u1|2026-02-28T23:10:00.000000000Z",
        "7|unit.occupied|units|u1|2026-02-28T23:50:00.000000000Z",
        "7|unit.vacated|units|u1|2026-02-28T23:50:00.000000000Z",
    ];
    assert_eq!(world.notices(), notices);
}

/// An event that shows the order of others of one time can reveal several turns
/// of one kind.
#[test]
fn turns_of_one_kind_are_counted() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("meterbase", &database, &d1);
    for minute in [10, 30] {
        world.take(&meterbase(minute, "vacant", None));
    }
    let delivery = delivery("meterbase", "i", &meterbase(20, "occupied", None));
    world.ledger.intake(&delivery, world.now).unwrap();
    let batch = world.ledger.next_batch().unwrap();
    let said = (
        r#""notices":["unit.occupied","unit.vacated"],"notices_at":["#,
        r#""notices":["unit.vacated","unit.occupied","unit.vacated"],"notices_at":["2026-02-28T23:20:00.000000000Z","#,
    );
    let text = batch.packs[0].text.replace(said.0, said.1);
    assert_ne!(text, batch.packs[0].text);
    let read = Projection::read(&text).unwrap();
    for _ in 0..2 {
        for statement in read.statements(world.now, world.now) {
            d1.run(&statement);
        }
    }
    let counted = "SELECT kind, count, at FROM notices ORDER BY kind";
    let notices = [
        "unit.occupied|1|2026-02-28T23:20:00.000000000Z",
        "unit.vacated|2|2026-02-28T23:20:00.000000000Z",
    ];
    assert_eq!(d1.dump(counted), notices);
}

/// As MeterBase's documents have it: the fields hold an object where the
/// changes hold an id.
#[test]
fn the_first_word_of_a_unit_can_be_that_it_turned() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("meterbase", &database, &d1);
    let body = r#"{"event":"data.update","timestamp":"2026-02-28T10:00:00Z","connection_id":"i","resource_type":"unit",
        "data":{"id":"unit_1","status":"occupied","current_lease":{"id":"lease_abc","occupant_count":2}},
        "changes":{"status":{"old":"vacant","new":"occupied"},"current_lease":{"old":null,"new":"lease_abc"}}}"#;
    assert_eq!(world.take(body), r#"["unit.occupied"]"#);
    assert_eq!(
        world.notices(),
        ["1|unit.occupied|units|unit_1|2026-02-28T10:00:00.000000000Z"]
    );
}

#[derive(Debug, Clone)]
struct Seen {
    minute: i64,
    key: u8,
    before: Option<bool>,
    now: Option<bool>,
}

fn seen() -> impl Strategy<Value = Seen> {
    let state = || prop::option::weighted(0.8, any::<bool>());
    let before = prop::option::weighted(0.3, any::<bool>());
    (0..12_i64, any::<u8>(), before, state()).prop_map(|(minute, key, before, now)| Seen {
        minute,
        key,
        before,
        now,
    })
}

/// How often it turned occupied and vacant.
fn noticed(seen: &[Seen]) -> (usize, usize) {
    let occupancy = |occupied: bool| if occupied { OCCUPIED } else { VACANT };
    let mut timeline = Timeline::default();
    let mut turns = Vec::new();
    for one in seen {
        let same_time = seen.iter().filter(|other| other.minute == one.minute);
        let mut among: Vec<_> = same_time.map(|other| DedupeKey([other.key; 16])).collect();
        among.sort();
        let seen = one;
        turns.extend(timeline.add(&Sight {
            before: seen.before.and_then(occupancy),
            now: seen.now.and_then(occupancy),
            occurred: Some((
                Timestamp::from_s(seen.minute * 60),
                DedupeKey([seen.key; 16]),
            )),
            among: &among,
            received_at: Timestamp::default(),
        }));
        timeline = Timeline::parse(&timeline.to_bytes()).unwrap();
    }
    let to = |to| turns.iter().filter(|turn| Some(turn.to) == to).count();
    (to(OCCUPIED), to(VACANT))
}

/// The same, with all that is said put into the order of time.
fn turned(seen: &[Seen]) -> (usize, usize) {
    let mut points: Vec<_> = seen
        .iter()
        .flat_map(|seen| {
            let key = seen.key;
            [
                (seen.minute, key, 0, seen.before),
                (seen.minute, key, 1, seen.now),
            ]
        })
        .filter_map(|(minute, key, half, state)| Some((minute, key, half, state?)))
        .collect();
    points.sort_unstable();
    points.windows(2).fold((0, 0), |(occupied, vacated), pair| {
        match (pair[0].3, pair[1].3) {
            (false, true) => (occupied + 1, vacated),
            (true, false) => (occupied, vacated + 1),
            _ => (occupied, vacated),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_makes_the_same_turns(
        mut seen in vec(seen(), 1..30),
        swaps in vec(any::<(Index, Index)>(), 0..40),
    ) {
        // One event a key and time.
        seen.sort_by_key(|seen| (seen.minute, seen.key));
        seen.dedup_by_key(|seen| (seen.minute, seen.key));
        let expected = turned(&seen);
        prop_assert_eq!(noticed(&seen), expected);
        for (a, b) in swaps {
            let (a, b) = (a.index(seen.len()), b.index(seen.len()));
            seen.swap(a, b);
        }
        prop_assert_eq!(noticed(&seen), expected);
        // Whatever comes again says nothing new.
        let twice: Vec<_> = seen.iter().chain(&seen).cloned().collect();
        prop_assert_eq!(noticed(&twice), expected);
    }

    #[test]
    fn broken_bytes_are_an_error(bytes in vec(any::<u8>(), 0..40)) {
        let is_wide = bytes.first().is_some_and(|flags| flags & 2 != 0);
        let fits = bytes.is_empty() || (bytes.len() - 1) % if is_wide { 15 } else { 13 } == 0;
        prop_assert_eq!(Timeline::parse(&bytes).is_ok(), fits);
    }
}

/// Nanoseconds tell events apart, and cost bytes only where there are any.
#[test]
fn a_timeline_has_nanoseconds() {
    let mut timeline = Timeline::default();
    let mut add = |ns: u16, occupied: bool| {
        let at = Timestamp::from_us(1).with_ns(ns);
        let turns = timeline.add(&Sight {
            before: None,
            now: if occupied { OCCUPIED } else { VACANT },
            occurred: Some((at, DedupeKey([ns as u8; 16]))),
            among: &[],
            received_at: Timestamp::default(),
        });
        let bytes = timeline.to_bytes();
        timeline = Timeline::parse(&bytes).unwrap();
        assert_eq!(timeline.to_bytes(), bytes);
        (turns.len(), bytes.len())
    };
    assert_eq!(add(0, true), (0, 1 + 13));
    assert_eq!(add(999, true), (0, 1 + 2 * 15));
    assert_eq!(add(500, false), (2, 1 + 3 * 15));
}

/// What is older than all that is kept of a unit with a long history reveals
/// nothing, and what is kept stays small.
#[test]
fn a_timeline_has_an_end() {
    let mut timeline = Timeline::default();
    let mut turns = 0;
    let mut add = |minute: usize, occupied: bool| {
        let sight = Sight {
            before: None,
            now: if occupied { OCCUPIED } else { VACANT },
            occurred: Some((Timestamp::from_s(minute as i64 * 60), DedupeKey([7; 16]))),
            among: &[],
            received_at: Timestamp::default(),
        };
        let new = timeline.add(&sight).len();
        assert!(timeline.to_bytes().len() <= 1 + 13 * POINTS_MAX);
        timeline = Timeline::parse(&timeline.to_bytes()).unwrap();
        new
    };
    for minute in 100..700 {
        turns += add(minute, minute % 2 == 0);
    }
    assert_eq!(turns, 599);
    assert_eq!(add(5, true), 0);
    assert_eq!(add(700 - POINTS_MAX - 2, true), 0);
    assert_eq!(add(800, false), 0);
    assert_eq!(add(799, true), 2);
}
