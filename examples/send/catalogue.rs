//! What can be sent: every dialect and its events.

use crate::signing::Signing;

/// One provider's way of signing and shaping a webhook.
pub struct Dialect {
    pub name: &'static str,
    pub signing: Signing,
    /// The environment variable, or line of .dev.vars, that has the secret.
    pub secret_name: &'static str,
    /// The integration, unless another is asked for.
    pub integration: &'static str,
    events: &'static [Event],
}

pub struct Event {
    pub name: &'static str,
    pub about: &'static str,
    pub record: Option<Record>,
    /// The body, with the placeholders that the module `sample` fills in.
    pub template: &'static str,
}

/// The record an event is about.
pub struct Record {
    pub model: &'static Model,
    /// Whether the event announces a record, so that each is about another.
    pub creates: bool,
}

pub struct Model {
    /// The gateway's name for it.
    pub name: &'static str,
    pub id_prefix: &'static str,
}

const LEASE: Model = model("leases", "lease_");
const PROPERTY: Model = model("properties", "prop_");
const APPOINTMENT: Model = model("appointments", "appt_");
const USER: Model = model("users", "user_");
const FEEDBACK: Model = model("feedback", "fb_");

const fn model(name: &'static str, id_prefix: &'static str) -> Model {
    Model { name, id_prefix }
}

const fn new(model: &'static Model) -> Option<Record> {
    let creates = true;
    Some(Record { model, creates })
}

const fn known(model: &'static Model) -> Option<Record> {
    let creates = false;
    Some(Record { model, creates })
}

const NONE: Option<Record> = None;

/// One event a line: its name, its record, and what it says.
macro_rules! events {
    ($dialect:literal: $($name:literal => $record:expr, $about:literal;)*) => {
        &[$(Event {
            name: $name,
            about: $about,
            record: $record,
            template: include_str!(concat!("../samples/", $dialect, "/", $name, ".json")),
        }),*]
    };
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "propexo",
        signing: Signing::Hex("propexo-signature"),
        secret_name: "PROPEXO_SECRET",
        integration: "int_1",
        events: events! { "propexo":
            "DATA_NEW"                => new(&LEASE), "a new lease";
            "DATA_UPDATE"             => known(&LEASE), "what changed in a lease";
            "FIRST_SYNC_COMPLETE"     => NONE, "the first full sync is done";
            "SYNC_COMPLETE"           => NONE, "a later sync is done";
            "JOB_FAILURE"             => NONE, "data could not be read";
            "JOB_SUCCESS"             => NONE, "data was read";
            "WRITE_OPERATION_FAILURE" => NONE, "data could not be written";
        },
    },
    Dialect {
        name: "propify",
        signing: Signing::Hex("propify-signature"),
        secret_name: "PROPIFY_SECRET",
        integration: "int_1",
        events: events! { "propify":
            "DATA_NEW"    => new(&LEASE), "a new lease";
            "DATA_UPDATE" => known(&LEASE), "what changed in a lease";
        },
    },
    Dialect {
        name: "meterbase",
        signing: Signing::PrefixedHex("x-propexo-signature"),
        secret_name: "METERBASE_SECRET",
        integration: "conn_1",
        events: events! { "meterbase":
            "data.new"      => new(&LEASE), "a new lease";
            "data.update"   => known(&LEASE), "a whole lease, and what changed in it";
            "sync.complete" => NONE, "a full sync is done";
            "test.ping"     => NONE, "what the provider's Test button sends";
        },
    },
    Dialect {
        name: "real-estate",
        signing: Signing::TimestampedHex {
            signature: "x-webhook-signature",
            timestamp: "x-webhook-timestamp",
        },
        secret_name: "REAL_ESTATE_SECRET",
        // No body of this dialect names one: the gateway's default takes all.
        integration: "default",
        events: events! { "real-estate":
            "property.created"      => new(&PROPERTY), "a property is listed";
            "property.updated"      => known(&PROPERTY), "its details changed";
            "property.sold"         => known(&PROPERTY), "it is sold";
            "appointment.scheduled" => new(&APPOINTMENT), "a new showing";
            "appointment.updated"   => known(&APPOINTMENT), "it was moved or confirmed";
            "appointment.cancelled" => known(&APPOINTMENT), "it is off";
            "user.registered"       => new(&USER), "a new user";
            "feedback.submitted"    => new(&FEEDBACK), "what a visitor thought";
        },
    },
];

/// Finds a dialect by name.
pub fn dialect(name: &str) -> Result<&'static Dialect, String> {
    let found = DIALECTS
        .iter()
        .find(|dialect| dialect.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<_> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        format!(
            "there is no dialect {name:?}. There are: {}",
            names.join(", ")
        )
    })
}

/// Every dialect with its events, and how to go on.
pub fn everything() -> String {
    let mut text: String = DIALECTS
        .iter()
        .map(|dialect| dialect.listing() + "\n\n")
        .collect();
    text += "Send one:  cargo run --example send -- propexo DATA_UPDATE\n";
    text += "Options:   cargo run --example send -- --help";
    text
}

impl Event {
    /// Whether the body names an integration.
    pub fn names_integration(&self) -> bool {
        self.template.contains("{{integration_id}}")
    }
}

impl Dialect {
    /// Finds an event by name, in upper or lower case.
    pub fn event(&self, name: &str) -> Result<&'static Event, String> {
        let found = self
            .events
            .iter()
            .find(|event| event.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let names: Vec<_> = self.events.iter().map(|event| event.name).collect();
            format!(
                "{} has no event {name:?}. It has: {}",
                self.name,
                names.join(", ")
            )
        })
    }

    /// The dialect and its events, a line each.
    pub fn listing(&self) -> String {
        let mut text = format!("{}  ({})", self.name, self.signing);
        for event in self.events {
            text += &format!("\n  {:<24} {}", event.name, event.about);
        }
        text
    }
}
