//! A provider with records, a ledger that takes what it is given, and the
//! connector between them, step by step.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use leasewire::connector::{Answer, Connector, Next, Request, Then};
use leasewire::integration::IntegrationId;
use leasewire::json;
use leasewire::ledger::{
    Compared, Marked, MergeOutcome, Merged, Owed, OwedRecord, Snapshots, SyncEnd, Unseen, Verdict,
};
use leasewire::provider::Api;
use leasewire::sql::Statement;
use leasewire::time::Timestamp;

use crate::common::{Database, at};

/// What the API's lists can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Limit themselves to what has changed since.
    New,
    /// Be ordered by any field.
    Old,
    /// Be ordered by creation alone, whatever is asked.
    Plain,
}

#[derive(Debug, Clone)]
pub struct Record {
    pub id: String,
    pub created_ms: i64,
    pub changed_ms: i64,
    pub seen_ms: i64,
    pub property: Option<String>,
    pub version: u64,
}

pub struct World {
    /// For the whole test, so that a connector doesn't hold the world.
    pub database: &'static Database,
    pub api: Rc<Api>,
    pub now: Timestamp,
    pub generation: Generation,
    /// Records of a page, whatever is asked.
    pub cap: usize,
    pub says_more: bool,
    pub records: BTreeMap<String, Record>,
    /// The newest version of each record that the ledger was given.
    pub mirror: HashMap<String, u64>,
    pub seq: u64,
    pub requests: Vec<Request>,
    /// What to answer in place of what is there.
    pub answers: Vec<Answer>,
    /// What the ledger says, in place of `merged`.
    pub outcomes: Vec<MergeOutcome>,
    pub snapshots: Vec<Snapshots>,
    /// What the ledger is to judge, and what it says of it.
    pub unseen: Vec<Unseen>,
    pub marks: Vec<Option<Marked>>,
    /// The log of changes: when, the record, and what the ledger says of it.
    pub log: Vec<(Timestamp, String, Verdict)>,
    /// The ledger doesn't answer.
    pub is_dumb: bool,
}

pub fn api(settings: &str) -> Result<Api, String> {
    Api::parse(json::value(settings).unwrap())
}

pub fn of(integration: &str) -> IntegrationId {
    IntegrationId::new("propexo", integration)
}

impl World {
    pub fn new(settings: &str) -> Self {
        Self {
            database: Box::leak(Box::default()),
            api: Rc::new(api(settings).unwrap()),
            now: at("2026-03-02T08:00:00Z"),
            generation: Generation::New,
            cap: usize::MAX,
            says_more: true,
            records: BTreeMap::new(),
            mirror: HashMap::new(),
            seq: 10,
            requests: Vec::new(),
            answers: Vec::new(),
            outcomes: Vec::new(),
            snapshots: Vec::new(),
            unseen: Vec::new(),
            marks: Vec::new(),
            log: Vec::new(),
            is_dumb: false,
        }
    }

    pub fn open(&self) -> Connector<&'static Database> {
        Connector::open(self.database).unwrap()
    }

    /// A record that was made and last changed at that time.
    pub fn add(&mut self, id: &str, ms: i64) {
        let record = Record {
            id: id.to_owned(),
            created_ms: ms,
            changed_ms: ms,
            seen_ms: ms,
            property: None,
            version: 1,
        };
        self.records.insert(id.to_owned(), record);
    }

    pub fn change(&mut self, id: &str) {
        let ms = self.now.ms();
        if let Some(record) = self.records.get_mut(id) {
            record.changed_ms = ms;
            record.version += 1;
        }
    }

    pub fn owed(&self, integration: &str, records: &[(&str, &str)]) -> Owed {
        let record = |(model, id): &(&str, &str)| OwedRecord {
            model: (*model).to_owned(),
            id: (*id).to_owned(),
            since: self.now,
        };
        Owed {
            of: of(integration),
            epoch: 1,
            seq: self.seq,
            records: records.iter().map(record).collect(),
            syncs: Vec::new(),
        }
    }

    /// The end of a synchronisation.
    pub fn synced(&mut self, integration: &str, is_whole: bool, models: &[&str]) -> Owed {
        self.seq += 1;
        let sync = SyncEnd {
            seq: self.seq,
            at: self.now,
            is_whole,
            is_finished: false,
            models: Some(models.iter().map(|model| (*model).to_owned()).collect()),
        };
        Owed {
            syncs: vec![sync],
            ..self.owed(integration, &[])
        }
    }

    pub fn tell(&mut self, connector: &mut Connector<&Database>, owed: &Owed) {
        connector.told(owed, &self.api, self.now).unwrap();
    }

    pub fn next(&self, connector: &mut Connector<&Database>) -> Next {
        let api = self.api.clone();
        let setups = move |source: &str| (source == "propexo").then(|| api.clone());
        connector.next(&setups, self.now, 7).unwrap()
    }

    pub fn state(&self, connector: &Connector<&Database>) -> String {
        let api = self.api.clone();
        let setups = move |_: &str| Some(api.clone());
        connector.state(None, &setups, self.now).unwrap()
    }

    pub fn wake(&self, connector: &mut Connector<&Database>) {
        let api = self.api.clone();
        connector
            .wake(&move |_: &str| Some(api.clone()), self.now)
            .unwrap();
    }

    /// Has it report what is new, whether that is due or not.
    pub fn report(&self, connector: &mut Connector<&Database>) -> Option<Statement> {
        let api = self.api.clone();
        let at = self.now.plus_s(60);
        connector
            .report(&move |_: &str| Some(api.clone()), at)
            .unwrap()
    }

    /// When the alarm goes off, while there is nothing to ask and to report.
    pub fn alarm_at(&self, connector: &mut Connector<&Database>) -> Option<Timestamp> {
        self.report(connector);
        match self.next(connector) {
            Next::Wait(at) => connector.alarm_at(Some(at)),
            Next::Nothing => connector.alarm_at(None),
            Next::Fetch(request) => panic!("there is {request:?}"),
        }
    }

    /// Answers a request and has the ledger merge what comes.
    pub fn serve(&mut self, connector: &mut Connector<&Database>, request: Request) {
        let answer = match self.answers.is_empty() {
            true => self.answer(&request.path_and_query),
            false => self.answers.remove(0),
        };
        let ticket = request.ticket;
        self.requests.push(request);
        let then = connector.answered(ticket, answer, self.now, 7).unwrap();
        match then {
            Then::Merge(snapshots) => {
                let merged = self.merge(snapshots);
                connector.merged(ticket, Some(&merged), self.now).unwrap();
            }
            Then::Mark(unseen) => {
                self.unseen.push(unseen);
                let marked = match self.marks.is_empty() {
                    true => Some(Marked::default()),
                    false => self.marks.remove(0),
                };
                connector.marked(ticket, marked.as_ref(), self.now).unwrap();
            }
            Then::Compare(read) => {
                let known = |id: &str| {
                    self.log
                        .iter()
                        .find(|(_, logged, _)| logged == id)
                        .unwrap()
                        .2
                };
                let unknown = |verdict: Verdict| matches!(verdict, Verdict::Lost | Verdict::Untold);
                let owed = read
                    .changes
                    .iter()
                    .filter(|change| unknown(known(&change.id)));
                let compared = Compared {
                    seq: self.seq,
                    epoch: 1,
                    verdicts: read
                        .changes
                        .iter()
                        .map(|change| known(&change.id))
                        .collect(),
                    owed: owed
                        .map(|change| OwedRecord {
                            model: change.model.clone(),
                            id: change.id.clone(),
                            since: change.at,
                        })
                        .collect(),
                };
                // As it crosses from the ledger.
                let compared = Compared::parse(&compared.to_json()).unwrap();
                let compared = (!self.is_dumb).then_some(&compared);
                connector.compared(ticket, compared, self.now).unwrap();
            }
            Then::Done => {}
        }
    }

    /// Serves requests for so long, and returns how many there were.
    pub fn run(&mut self, connector: &mut Connector<&Database>, s: u64) -> usize {
        let (until, before) = (self.now.plus_s(s), self.requests.len());
        loop {
            match self.next(connector) {
                Next::Fetch(request) => self.serve(connector, request),
                Next::Wait(at) if at <= until => {
                    assert!(at > self.now, "it waits for what is past");
                    self.now = at;
                }
                _ => break,
            }
        }
        self.now = self.now.max(until);
        self.requests.len() - before
    }

    pub fn merge(&mut self, snapshots: Snapshots) -> Merged {
        let outcome = |world: &mut Self| match world.outcomes.is_empty() {
            true => MergeOutcome::Merged,
            false => world.outcomes.remove(0),
        };
        let mut outcomes = Vec::new();
        for item in &snapshots.items {
            let fields = json::Object::parse(&item.json).unwrap();
            let version = fields.number("version").unwrap();
            let known = self.mirror.entry(item.id.clone()).or_default();
            *known = version.max(*known);
            outcomes.push(outcome(self));
        }
        self.snapshots.push(snapshots);
        Merged {
            seq: self.seq,
            epoch: 1,
            outcomes,
        }
    }

    pub fn answer(&self, path_and_query: &str) -> Answer {
        let Some((_, query)) = path_and_query.split_once('?') else {
            let id = path_and_query.rsplit('/').next().unwrap();
            return match self.records.get(id) {
                Some(record) => found(&format!(r#"{{"meta":{{}},"results":{}}}"#, shown(record))),
                None => status(404, ""),
            };
        };
        let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        if path_and_query.starts_with("/v1/admin/data-diffs/") {
            return self.logged(&query);
        }
        let from = query.get("updated_at_gte").map(|text| at(text).ms());
        let is_by_seen = query.keys().any(|name| name.starts_with("last_seen"));
        if (from.is_some() || is_by_seen) && self.generation != Generation::New {
            let why = r#"{"error":{"details":{"issues":[{"code":"unrecognized_keys"}]}}}"#;
            return status(400, why);
        }
        let mut records: Vec<&Record> = self.records.values().collect();
        let mut order = "updated_at";
        match query["order-by"].as_str() {
            "updated_at:asc,id:asc" => records.sort_by_key(|it| (it.changed_ms, it.id.clone())),
            "updated_at:desc,id:desc" if self.generation != Generation::Plain => {
                records.sort_by_key(|it| (-it.changed_ms, it.id.clone()));
            }
            _ => {
                order = "created_at";
                records.sort_by_key(|it| (it.created_ms, it.id.clone()));
            }
        }
        records.retain(|record| from.is_none_or(|from| record.changed_ms >= from));
        let seen = |name: &str| query.get(name).map(|text| at(text).ms());
        let (seen_from, seen_until) = (seen("last_seen_gte"), seen("last_seen_lte"));
        records.retain(|record| seen_from.is_none_or(|from| record.seen_ms >= from));
        records.retain(|record| seen_until.is_none_or(|until| record.seen_ms <= until));
        if let Some(property) = query.get("property_id") {
            records.retain(|record| record.property.as_ref() == Some(property));
        }
        let number = |name: &str| query[name].parse::<usize>().unwrap();
        let (offset, limit) = (number("offset"), number("limit"));
        let page = records.iter().skip(offset).take(limit.min(self.cap));
        let page: Vec<String> = page.map(|record| shown(record)).collect();
        let more = match self.says_more {
            true => (offset + page.len() < records.len()).to_string(),
            false => "null".to_owned(),
        };
        found(&format!(
            r#"{{"meta":{{"orderBy":[{{"field":"{order}"}}],"hasMore":{more},"total":0}},"results":[{}]}}"#,
            page.join(",")
        ))
    }
}

impl World {
    fn logged(&self, query: &HashMap<String, String>) -> Answer {
        let (after, before) = (at(&query["after"]), at(&query["before"]));
        let number = |name: &str| query[name].parse::<usize>().unwrap();
        let mut log: Vec<_> = self.log.iter().collect();
        log.sort_by_key(|(at, ..)| *at);
        log.retain(|(at, ..)| (after..=before).contains(at));
        let page = log.iter().skip(number("offset"));
        let page = page.take(number("limit").min(self.cap));
        let page: Vec<String> = page
            .map(|(at, id, _)| {
                format!(
                    r#"{{"id":"d","model":"leases","model_record_id":"{id}","event_type":"UPDATE",
                        "data_diff":{{"n":1}},"created_at":"{at}","job_id":"j"}}"#
                )
            })
            .collect();
        let more = number("offset") + page.len() < log.len();
        found(&format!(
            r#"{{"meta":{{"hasMore":{more}}},"results":[{}]}}"#,
            page.join(",")
        ))
    }
}

fn shown(record: &Record) -> String {
    let time = |ms: i64| format!("{}Z", &Timestamp::from_ms(ms).to_string()[..23]);
    let property = match &record.property {
        Some(property) => format!(r#","property_id":"{property}""#),
        None => String::new(),
    };
    format!(
        r#"{{"id":"{}","updated_at":"{}","last_seen":"{}","integration_id":"int_1","rent":750000.0,"version":{}{property}}}"#,
        record.id,
        time(record.changed_ms),
        time(record.seen_ms),
        record.version
    )
}

pub fn found(body: &str) -> Answer {
    status(200, body)
}

pub fn status(status: u16, body: &str) -> Answer {
    Answer::Response {
        status,
        limit: None,
        remaining: None,
        body: body.as_bytes().to_vec(),
    }
}
