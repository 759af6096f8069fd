//! Providers: each knows its records, changes them, and says so in its own
//! dialect.

use std::collections::{BTreeMap, BTreeSet};

use leasewire::time::Timestamp;

use crate::fact::{Change, Content, Fact, Fields, Identity, Lasting, object};
use crate::plan::LINKED;
use crate::random::Random;

/// Sizes that make a difference: more than a pack, more than a message, more
/// than a row together with the body, two of them more than a row. The sum of
/// any two stays thousands of bytes away from what a ledger can forward of one
/// event, because the reference doesn't count every comma.
const LARGE_BYTES: &[usize] = &[30_000, 70_000, 110_000, 140_000];
const HUGE_BYTES: &[usize] = &[930_000, 1_000_000];

/// To which records belong, where only one is wanted: of the one model, and of
/// the other.
const PROPERTIES: [[Option<&str>; 2]; 2] = [[Some("p2"), Some(LINKED)], [Some(LINKED), None]];

/// One integration of one provider.
pub struct Provider {
    pub dialect: &'static str,
    integration: String,
    records: Vec<Record>,
    made: u64,
    /// The last change of some fields.
    said: Option<Fact>,
    /// Few values, so that a record soon is again what it was.
    values: u64,
    /// Its times have whole seconds.
    whole_seconds: bool,
    /// Chance of an event that needs much room, in a thousand.
    large: u64,
    /// Chance that it is one for which a row may be too small, in a thousand.
    huge: u64,
    /// Chance that a partial change is a creation, if its record is new and if it
    /// isn't, in a thousand.
    creations: (u64, u64),
    /// Chance of a change that nobody hears of, in a thousand.
    unheard: u64,
}

struct Record {
    /// As the provider writes it, and as it is normalised.
    model: (&'static str, &'static str),
    id: String,
    fields: Fields,
    /// Nothing was said of it yet.
    is_new: bool,
}

impl Provider {
    /// One whose records say to which property they belong if `linked`.
    pub fn new(
        dialect: &'static str,
        integration: &str,
        linked: bool,
        random: &mut Random,
    ) -> Self {
        let models: &[_] = match dialect {
            "propexo" => &[
                ("leases", "leases"),
                ("residents-to-leases", "residents_to_leases"),
            ],
            "propify" => &[("units", "units"), ("service_request", "service_requests")],
            "meterbase" => &[("unit", "units"), ("lease", "leases")],
            _ => &[("property", "properties"), ("appointment", "appointments")],
        };
        let records = (0..random.between(1, 4)).map(|n| {
            let model = random.pick(models);
            let mut fields = Fields::new();
            fields.insert("status".to_owned(), "\"a\"".to_owned());
            fields.insert("rent_in_cents".to_owned(), "750000.0".to_owned());
            // Two records may differ in their model alone.
            let at = n / 2;
            // Who else tells of the record says the same.
            let property = PROPERTIES[usize::from(model == models[0])][at as usize];
            if linked && let Some(id) = property {
                fields.insert("property_id".to_owned(), format!("\"{id}\""));
            }
            Record {
                model,
                id: format!("r{at}"),
                fields,
                is_new: true,
            }
        });
        let mut records: Vec<Record> = records.collect();
        records.dedup_by(|a, b| (a.model, &a.id) == (b.model, &b.id));
        Self {
            dialect,
            integration: integration.to_owned(),
            records,
            made: 0,
            said: None,
            values: random.pick(&[2, 2, 3, 5]),
            whole_seconds: random.chance(700),
            // What was ignored has room when it comes in.
            large: if linked {
                0
            } else {
                random.pick(&[0, 0, 0, 0, 20, 80])
            },
            huge: random.pick(&[30, 30, 30, 300]),
            creations: if linked { (300, 200) } else { (700, 60) },
            unheard: random.pick(&[40, 40, 300]),
        }
    }

    /// The next thing it has to say, at `now` on its own clock.
    pub fn next(&mut self, now: Timestamp, random: &mut Random) -> Fact {
        self.made += 1;
        let now = if self.whole_seconds {
            Timestamp::from_s(now.ms() / 1_000)
        } else {
            now
        };
        let draw = random.below(100);
        match self.dialect {
            _ if draw < 5 => self.junk(random),
            "propexo" if draw < 15 => self.control(random),
            "propexo" | "propify" => self.partial(random),
            "meterbase" if draw < 7 => self.ping(now),
            "meterbase" if draw < 15 => self.sync(now, random),
            "meterbase" => self.unit_or_lease(now, random),
            _ => self.thing(now, random),
        }
    }

    fn fact(&self, body: String, identity: Identity, at: Option<Timestamp>, c: Content) -> Fact {
        Fact {
            dialect: self.dialect,
            integration: self.integration.clone(),
            body: body.into_bytes(),
            identity,
            occurred_us: at.map(Timestamp::us),
            content: c,
        }
    }

    /// Changes a field or two of a record: which, and what they were.
    fn change(&mut self, random: &mut Random) -> (usize, Fields, Fields) {
        let at = random.below(self.records.len() as u64) as usize;
        let (mut previous, mut new) = (Fields::new(), Fields::new());
        // Now and then nobody hears of a change.
        for unheard in 0..=u64::from(random.chance(self.unheard)) {
            let is_unit = self.records[at].model.1 == "units";
            let is_partial = matches!(self.dialect, "propexo" | "propify");
            let names: &[&str] = match (is_unit, is_partial) {
                (true, _) => &["status", "status", "is_vacant", "current_lease", "note"],
                // Of two large fields only one is in a body.
                (_, true) => &[
                    "status",
                    "status",
                    "move_out",
                    "rent_in_cents",
                    "note",
                    "memo",
                ],
                _ => &["status", "status", "status", "rent_in_cents", "note"],
            };
            let name = random.pick(names).to_owned();
            let value = self.value(&name, is_unit, random);
            let fields = &mut self.records[at].fields;
            let is_cleared = random.chance(if name == "move_out" { 500 } else { 40 });
            let was = if is_cleared {
                fields.remove(&name)
            } else {
                fields.insert(name.clone(), value.clone())
            };
            if unheard == 0 {
                // What there is not, the sender leaves out.
                previous.extend(was.map(|was| (name.clone(), was)));
                if !is_cleared {
                    new.insert(name, value);
                }
            }
        }
        (at, previous, new)
    }

    fn value(&mut self, name: &str, is_unit: bool, random: &mut Random) -> String {
        let n = random.below(self.values);
        let one_of = |values: [&str; 5]| values[n as usize].to_owned();
        match name {
            "status" if is_unit => one_of([
                "\"vacant\"",
                "\"occupied\"",
                "\"down\"",
                "\"Vacant-Ready\"",
                "null",
            ]),
            "is_vacant" => one_of(["true", "false", "null", "\"yes\"", "0"]),
            "current_lease" => one_of(["null", "\"l1\"", "{\"id\":\"l2\"}", "2", "[]"]),
            "rent_in_cents" => one_of(["750000.0", "18014398509481985", "null", "0", "1e3"]),
            "note" | "memo" if random.chance(self.large) => {
                let bytes = if random.chance(self.huge) {
                    random.pick(HUGE_BYTES)
                } else {
                    random.pick(LARGE_BYTES)
                };
                format!("\"{n}{}\"", "x".repeat(bytes))
            }
            "move_out" => "\"2026-03-01\"".to_owned(),
            "note" | "memo" => format!("[\"é\",{{\"n\":{n}}}]"),
            _ => format!("\"{}\"", char::from(b'a' + n as u8)),
        }
    }

    fn partial(&mut self, random: &mut Random) -> Fact {
        if let Some(said) = self.said.take().filter(|_| random.chance(100)) {
            return echo(said);
        }
        let (at, previous, new) = self.change(random);
        let Record { is_new, fields, .. } = &mut self.records[at];
        let is_small = fields.values().map(String::len).sum::<usize>() < HUGE_BYTES[0];
        let (if_new, if_not) = self.creations;
        let is_creation = random.chance(if *is_new { if_new } else { if_not }) && is_small;
        *is_new = false;
        let change = if is_creation {
            // A new record, some of its fields.
            Change::Sparse(fields.clone())
        } else {
            Change::Diff { previous, new }
        };
        let (key, content) = match &change {
            Change::Sparse(fields) => ("payload", object(fields)),
            Change::Diff { previous, new } => {
                let (previous, new) = (object(previous), object(new));
                ("diff", format!(r#"{{"previous":{previous},"new":{new}}}"#))
            }
            Change::Whole { .. } => unreachable!(),
        };
        let Record { model, id, .. } = &self.records[at];
        let (integration, job) = (&self.integration, self.made);
        let object = model.0;
        let meta = format!(r#""meta":{{"object":"{object}","integration_id":"{integration}"}}"#);
        let short = format!(r#"{{{meta},"record_id":"{id}","{key}":{content}}}"#);
        let full = format!(
            r#""job_id":"job_{job}","integration_id":"{integration}","event":"DATA","record_id":"{id}","object":"{object}","{key}":{content}"#
        );
        let (body, repeatable) = match random.below(if self.dialect == "propify" { 1 } else { 5 }) {
            0..3 => (short, true),
            3 => (
                format!(r#"{{"trigger":"DATA","data":{{{full}}},{meta}}}"#),
                false,
            ),
            _ => (format!(r#"{{{full},{meta},"context":{{}}}}"#), false),
        };
        let identity = Identity {
            repeatable,
            lasting: if repeatable {
                Lasting::Window
            } else {
                Lasting::Ever
            },
            ..Identity::body(&body)
        };
        let content = Content::Record {
            model: model.1,
            id: id.clone(),
            is_creation,
            change,
        };
        let fact = self.fact(body, identity, None, content);
        self.said = Some(fact.clone());
        fact
    }

    fn unit_or_lease(&mut self, now: Timestamp, random: &mut Random) -> Fact {
        let (at, previous, new) = self.change(random);
        let Record {
            model,
            id,
            fields,
            is_new,
        } = &mut self.records[at];
        let is_creation = std::mem::take(is_new) || random.chance(20);
        let mut fields = fields.clone();
        fields.insert("id".to_owned(), format!("\"{id}\""));
        let value = |of: &Fields, name| of.get(name).map_or("null", String::as_str).to_owned();
        let names: BTreeSet<&String> = previous.keys().chain(new.keys()).collect();
        let before: Fields = names
            .iter()
            .copied()
            .map(|name| (name.clone(), value(&previous, name)))
            .collect();
        let changed = names
            .iter()
            .filter(|name| value(&previous, name) != value(&new, name))
            .map(|name| (*name).clone())
            .collect();
        // An id stands for the object that has it.
        let by_id = random.chance(500);
        let short = |value: String| match value.strip_prefix("{\"id\":") {
            Some(id) if by_id => id.trim_end_matches('}').to_owned(),
            _ => value,
        };
        let changes: BTreeMap<_, _> = names
            .into_iter()
            .map(|name| {
                let (old, new) = (short(value(&previous, name)), short(value(&new, name)));
                (name.clone(), format!(r#"{{"old":{old},"new":{new}}}"#))
            })
            .collect();
        let stated = (random.below(3) > 0).then(|| object(&changes));
        let changes = stated.as_ref().map(|json| format!(r#","changes":{json}"#));
        let event = match is_creation {
            true => "data.new",
            false => random.pick(&["data.update", "data.update", "data.seen"]),
        };
        let body = format!(
            r#"{{"event":"{event}","timestamp":"{now}","connection_id":"{}","resource_type":"{}","data":{}{changes}}}"#,
            self.integration,
            model.0,
            object(&fields),
            changes = changes.unwrap_or_default(),
        );
        let content = Content::Record {
            model: model.1,
            id: id.clone(),
            is_creation,
            change: Change::Whole {
                fields,
                before: if stated.is_some() {
                    before
                } else {
                    Fields::new()
                },
                changed: if stated.is_some() {
                    changed
                } else {
                    BTreeSet::new()
                },
            },
        };
        self.fact(body.clone(), Identity::body(&body), Some(now), content)
    }

    fn thing(&mut self, now: Timestamp, random: &mut Random) -> Fact {
        let (at, _, _) = self.change(random);
        let Record {
            model,
            id,
            fields,
            is_new,
        } = &mut self.records[at];
        let is_creation = std::mem::take(is_new) || random.chance(20);
        let mut fields = fields.clone();
        fields.insert("id".to_owned(), format!("\"{id}\""));
        let verb = match is_creation {
            true => "created",
            false => random.pick(&["updated", "updated", "sold", "seen"]),
        };
        let event = format!("evt_{}", self.made);
        let body = format!(
            r#"{{"id":"{event}","type":"{thing}.{verb}","created":"{now}","data":{{"{thing}":{}}}}}"#,
            object(&fields),
            thing = model.0,
        );
        let content = Content::Record {
            model: model.1,
            id: id.clone(),
            is_creation,
            change: Change::Whole {
                fields,
                before: Fields::new(),
                changed: BTreeSet::new(),
            },
        };
        let identity = Identity::of("event", event.as_bytes());
        self.fact(body, identity, Some(now), content)
    }

    fn sync(&self, now: Timestamp, random: &mut Random) -> Fact {
        let id = format!("sync_{}", random.below(3));
        let body = format!(
            r#"{{"event":"sync.complete","timestamp":"{now}","connection_id":"{}","sync_id":"{id}","stats":{{"errors":{}}}}}"#,
            self.integration, self.made
        );
        let identity = Identity::of("sync", id.as_bytes());
        self.fact(body, identity, Some(now), Content::Control { synced: true })
    }

    fn ping(&self, now: Timestamp) -> Fact {
        let body = format!(r#"{{"event":"test.ping","timestamp":"{now}","data":{{}}}}"#);
        self.fact(body.clone(), Identity::body(&body), None, Content::Ping)
    }

    fn control(&self, random: &mut Random) -> Fact {
        let (integration, n) = (&self.integration, random.below(4));
        let name = random.pick(&[
            "FIRST_SYNC_COMPLETE",
            "SYNC_COMPLETE",
            "JOB_FAILURE",
            "WRITE_OPERATION_FAILURE",
        ]);
        let is_sync = name.ends_with("SYNC_COMPLETE");
        let stuck = is_sync && random.chance(200);
        let details = match name {
            "JOB_FAILURE" => format!(r#""job_id":"job_{}""#, self.made),
            _ if stuck => format!(r#""is_sync_finished":false,"failed_job_count":{n}"#),
            _ if is_sync => format!(r#""is_sync_finished":true,"successful_job_count":{n}"#),
            _ => {
                let errors = if random.chance(self.large) {
                    random.pick(LARGE_BYTES)
                } else {
                    10
                };
                format!(r#""errors":["{n}{}"]"#, "x".repeat(errors))
            }
        };
        let flat = format!(r#"{{"event":"{name}","integration_id":"{integration}",{details}}}"#);
        let body = if random.chance(500) {
            flat
        } else {
            format!(r#"{{"trigger":"{name}","data":{flat}}}"#)
        };
        let synced = is_sync && !stuck;
        let identity = Identity {
            lasting: match name {
                "JOB_FAILURE" => Lasting::Ever,
                _ => Lasting::Soon,
            },
            ..Identity::body(&body)
        };
        self.fact(body, identity, None, Content::Control { synced })
    }

    /// Authentic, and in no documented envelope. It may say whose it is.
    fn junk(&self, random: &mut Random) -> Fact {
        let n = random.below(4);
        let bodies = [
            (format!("junk {n}"), "default"),
            (format!("[{n}]"), "default"),
            (format!(r#"{{"n":{n}}}"#), "default"),
            match self.dialect {
                "propexo" | "propify" => (
                    format!(
                        r#"{{"meta":{{"object":"leases","integration_id":"{}"}},"diff":{{"new":{{"n":{n}}}}}}}"#,
                        self.integration
                    ),
                    self.integration.as_str(),
                ),
                "meterbase" => (
                    format!(
                        r#"{{"event":"data.new","connection_id":"{}","n":{n}}}"#,
                        self.integration
                    ),
                    self.integration.as_str(),
                ),
                _ => (format!(r#"{{"type":"property.sold","n":{n}}}"#), "default"),
            },
        ];
        let (body, integration) = &bodies[random.below(4) as usize];
        Fact {
            integration: (*integration).to_owned(),
            ..self.fact(body.clone(), Identity::body(body), None, Content::Junk)
        }
    }
}

/// The same event with other white space.
fn echo(fact: Fact) -> Fact {
    let body = String::from_utf8(fact.body.clone()).unwrap();
    let body = body.replacen('{', "{ ", 1);
    Fact {
        identity: Identity {
            key: Identity::body(&body).key,
            ..fact.identity
        },
        body: body.into_bytes(),
        ..fact
    }
}
