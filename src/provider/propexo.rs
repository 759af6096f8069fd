//! Propexo's API, which Propify's and MeterBase's have become.
//!
//! Models are called here as they are in the ledgers: normalised. Paths are the
//! same names with hyphens, where nothing else is said.

use std::borrow::Cow;

use super::log::data_diff;
use super::subscriptions::{Change, Subscription, Subscriptions, Trigger, called};
use super::{
    Kind, LogPage, Order, Page, Parent, Query, Reach, Row, Seen, Stretch, encoded, written,
};
use crate::integration::encode_segment;
use crate::json;

/// The kind `propexo`.
pub struct Propexo;

/// Models with a list `/v1/{name}/` and items `/v1/{name}/{id}`.
const REGULAR: &[&str] = &[
    "accounting_entities",
    "address_types",
    "amenities",
    "applicants",
    "application_statuses",
    "applications",
    "call_logs",
    "charge_codes",
    "concessions",
    "construction_jobs",
    "deposit_summaries",
    "deposits",
    "employees",
    "event_results",
    "event_sub_types",
    "event_types",
    "events",
    FEES,
    "file_types",
    "financial_accounts",
    "floor_plans",
    "invoices",
    "lead_sources",
    "leads",
    "lease_transfers",
    "leases",
    "listings",
    "note_categories",
    "owners",
    "payable_registers",
    "properties",
    "property_lists",
    "purchase_orders",
    "recurring_resident_charges",
    "rentable_items",
    "resident_charges",
    "resident_payments",
    "residents",
    "service_request_categories",
    "service_request_locations",
    "service_request_priorities",
    "service_request_problems",
    "service_request_statuses",
    "service_requests",
    "units",
];

/// Models that are read before all others: what most programs are about.
const FIRST: &[&str] = &["properties", "units", "leases", "residents"];

/// Its list takes no `integration_id`, and gives those of all integrations.
const FEES: &str = "fees";

/// Their lists take no `property_id`.
const WHOLE: &[&str] = &[FEES, "properties", "property_lists", "timezones"];

/// Models with a list of another name, and items below it.
const RENAMED: &[(&str, &str)] = &[
    ("entrata_unit_types", "/v1/unit-types/"),
    ("rentvine_application_templates", "/v1/application-templates/"),
    ("resident_insurances", "/v1/resident-insurance/"),
    ("service_request_notes", "/v1/service-request-history/"),
    ("service_request_vendors", "/v1/vendors/"),
    ("unit_details", "/v1/units/details"),
];

/// Models with a list alone.
const LIST_ONLY: &[(&str, &str)] = &[
    ("lead_relationships", "/v1/lead-relationships/"),
    ("timezones", "/v1/timezones/"),
    ("unit_pricings", "/v1/listings/pricing"),
];

/// Models with a list under each record of another.
const UNDER: &[&str] = &[
    "applicants_to_rentable_items",
    "construction_job_details",
    "contract_details",
    "contracts",
    "leads_to_rentable_items",
    "purchase_order_items",
    "residents_to_rentable_items",
    "service_request_vendors_to_properties",
];

/// Models that stand only inside other records, with those. Where nobody says
/// which field names the other record, all that are likely are looked at.
const PARTS: &[(&str, &[Parent])] = &[
    ("applicant_pets", &[of("applicants", "applicant_id")]),
    (
        "applicants_to_applications",
        &[
            of("applicants", "applicant_id"),
            of("applications", "application_id"),
        ],
    ),
    ("applicants_to_events", &[of("events", "event_id")]),
    (
        "event_results_to_event_types",
        &[of("event_results", "event_result_id")],
    ),
    ("invoice_items", &[of("invoices", "invoice_id")]),
    ("lead_pets", &[of("leads", "lead_id")]),
    ("leads_to_events", &[of("events", "event_id")]),
    ("lease_services", &[of("leases", "lease_id")]),
    (
        "owners_to_properties",
        &[of("owners", "owner_id"), of("properties", "property_id")],
    ),
    (
        "payable_register_items",
        &[of("payable_registers", "payable_register_id")],
    ),
    ("pet_types", &[of("properties", "property_id")]),
    (
        "property_lists_to_properties",
        &[of("property_lists", "property_list_id")],
    ),
    ("property_office_hours", &[of("properties", "property_id")]),
    (
        "resident_allocations",
        &[
            of("resident_charges", "resident_charge_id"),
            of("resident_payments", "resident_payment_id"),
        ],
    ),
    ("resident_pets", &[of("residents", "resident_id")]),
    ("resident_vehicles", &[of("residents", "resident_id")]),
    ("residents_to_events", &[of("events", "event_id")]),
    (
        "residents_to_leases",
        &[of("leases", "lease_id"), of("residents", "resident_id")],
    ),
    (
        "screenings",
        &[of("applicants", "applicant_id"), of("leads", "lead_id")],
    ),
    (
        "service_request_vendor_contacts",
        &[
            of("service_request_vendors", "service_request_vendor_id"),
            of("service_request_vendors", "vendor_id"),
        ],
    ),
    (
        "service_requests_to_employees",
        &[of("service_requests", "service_request_id")],
    ),
    (
        "service_requests_to_vendors",
        &[of("service_requests", "service_request_id")],
    ),
    ("units_to_amenities", &[of("amenities", "amenity_id")]),
];

/// Models of which the API has nothing.
const PATHLESS: &[&str] = &[
    "ap_codes",
    "ap_codes_to_construction_jobs",
    "charge_code_types",
    "charge_code_types_to_charge_timings",
    "charge_timings",
    "crm_agents",
    "crm_amenities",
    "crm_attributions",
    "crm_communities",
    "crm_communities_to_agents",
    "crm_communities_to_attributions",
    "crm_events",
    "crm_listings",
    "crm_pet_policies",
    "crm_prospects",
    "entrata_lease_periods",
    "entrata_vendor_locations",
    "integration_configuration_meta_data",
    "locations",
    "purchase_order_items_to_invoices",
    "service_request_access_contacts",
    "service_request_vendor_categories",
    "service_request_vendors_insurances",
    "transactions",
    "vendor_insurance_coverage_types",
    "vendor_insurance_policy_types",
    "vendor_payment_types",
];

/// Models that registrations call otherwise.
const REGISTERED: &[(&str, &str)] = &[
    (
        "ap_codes_to_construction_jobs",
        "ap_codes_to_construction_job",
    ),
    ("resident_insurances", "resident_insurance"),
    (
        "service_request_vendors_insurances",
        "service_request_vendors_insurance",
    ),
    ("unit_pricings", "unit_pricing"),
    ("units_to_amenities", "units_to_amenity"),
];

/// The webhooks that are registered.
const WEBHOOKS: &str = "/v1/webhooks/";

/// What they can be registered for.
const EVENTS: &[(&str, &str)] = &[
    ("DATA_NEW", "record.created"),
    ("DATA_UPDATE", "record.updated"),
    ("FIRST_SYNC_COMPLETE", "sync.first_completed"),
    ("SYNC_COMPLETE", "sync.completed"),
    ("JOB_FAILURE", "job.failed"),
    ("WRITE_OPERATION_FAILURE", "write.failed"),
];

const IS_PART: &str = "it stands only inside other records, which are asked for in its place";
const IS_UNDER: &str = "its lists stand under other records, and are not walked yet";
const HAS_NO_PATH: &str = "the API has no path for it";

const fn of(model: &'static str, field: &'static str) -> Parent {
    Parent { model, field }
}

impl Kind for Propexo {
    fn name(&self) -> &'static str {
        "propexo"
    }

    fn default_url(&self) -> &'static str {
        "https://api.propexo.com"
    }

    fn authorization(&self, key: &str) -> (&'static str, String) {
        ("authorization", ["Bearer ", key].concat())
    }

    fn listed(&self) -> Vec<&'static str> {
        let others = RENAMED.iter().chain(LIST_ONLY).map(|(model, _)| *model);
        let others = REGULAR.iter().copied().chain(others);
        let others = others.filter(|model| !FIRST.contains(model));
        FIRST.iter().copied().chain(others).collect()
    }

    fn unreachable(&self) -> Vec<&'static str> {
        let parts = PARTS.iter().map(|(model, _)| *model);
        let others = UNDER.iter().chain(PATHLESS).copied();
        parts.chain(others).collect()
    }

    fn reach(&self, model: &str) -> Reach {
        let parents = paired(PARTS, model).unwrap_or_default();
        let has_item = REGULAR.contains(&model) || paired(RENAMED, model).is_some();
        let has_list = has_item || paired(LIST_ONLY, model).is_some();
        let why_not = match has_list {
            true => None,
            false if !parents.is_empty() => Some(IS_PART),
            false if UNDER.contains(&model) => Some(IS_UNDER),
            false => Some(HAS_NO_PATH),
        };
        Reach {
            has_list,
            has_item,
            is_shared: model == FEES,
            is_by_property: has_list && !WHOLE.contains(&model),
            parents,
            why_not,
        }
    }

    fn item(&self, model: &str, id: &str) -> Option<String> {
        if !self.reach(model).has_item {
            return None;
        }
        let list = list_path(model)?;
        Some([list.trim_end_matches('/'), "/", &encode_segment(id)].concat())
    }

    fn page(&self, model: &str, integration: &str, query: &Query) -> Option<String> {
        let mut path = list_path(model)?.into_owned();
        let order = match query.order {
            Order::Changed => "?order-by=updated_at:asc,id:asc",
            Order::ChangedLast => "?order-by=updated_at:desc,id:desc",
            Order::Created => "?order-by=created_at:asc,id:asc",
        };
        path.push_str(order);
        if model != FEES {
            json::push_all(&mut path, &["&integration_id=", &encoded(integration)]);
        }
        if let Some(from) = &query.changed_from {
            json::push_all(&mut path, &["&updated_at_gte=", &encoded(from)]);
        }
        match &query.seen {
            Some(Seen::Until(until)) => {
                json::push_all(&mut path, &["&last_seen_lte=", &encoded(until)]);
            }
            Some(Seen::From(from, property)) => {
                json::push_all(&mut path, &["&last_seen_gte=", &encoded(from)]);
                if let Some(property) = property.as_ref().filter(|_| !WHOLE.contains(&model)) {
                    json::push_all(&mut path, &["&property_id=", &encoded(property)]);
                }
            }
            None => {}
        }
        let (offset, limit) = (query.offset.to_string(), query.limit.to_string());
        json::push_all(&mut path, &["&offset=", &offset, "&limit=", &limit]);
        Some(path)
    }

    fn read_item<'a>(&self, body: &'a str) -> Option<Row<'a>> {
        let [results] = json::pick(body, &["results"])?;
        row(results?.get())
    }

    fn read_page<'a>(&self, body: &'a str) -> Option<Page<'a>> {
        let [results, meta] = json::pick(body, &["results", "meta"])?;
        let rows = json::items(results?.get())?.into_iter();
        let rows = rows.map(|value| row(value.get())).collect::<Option<_>>()?;
        let meta = meta.and_then(|meta| json::pick(meta.get(), &["hasMore", "orderBy"]));
        let [has_more, order] = meta.unwrap_or_default();
        let order = order.and_then(|order| json::pick_each(order.get(), &["field"]));
        let first = order.as_ref().and_then(|fields| fields.first());
        let first = first.and_then(|[field]| json::text((*field)?));
        Some(Page {
            rows,
            has_more: has_more.and_then(json::flag),
            is_by_change: first.map(|field| field == "updated_at"),
        })
    }

    fn log(&self, integration: &str, stretch: &Stretch) -> Option<String> {
        Some(
            [
                "/v1/admin/data-diffs/?order-by=created_at:asc,id:asc&integration_id=",
                &encoded(integration),
                "&after=",
                &written(stretch.after),
                "&before=",
                &written(stretch.before),
                "&offset=",
                &stretch.offset.to_string(),
                "&limit=",
                &stretch.limit.to_string(),
            ]
            .concat(),
        )
    }

    fn read_log(&self, body: &str) -> Option<LogPage> {
        let [results, meta] = json::pick(body, &["results", "meta"])?;
        let rows = json::items(results?.get())?;
        let changes: Vec<_> = (rows.iter())
            .filter_map(|value| data_diff(value.get()))
            .collect();
        let meta = meta.and_then(|meta| json::pick(meta.get(), &["hasMore"]));
        let [has_more] = meta.unwrap_or_default();
        // Where none can be read, the log has another shape.
        (rows.is_empty() || !changes.is_empty()).then_some(LogPage {
            rows: rows.len(),
            changes,
            has_more: has_more.and_then(json::flag),
        })
    }

    fn events(&self) -> &'static [(&'static str, &'static str)] {
        EVENTS
    }

    fn registered_name<'m>(&self, model: &'m str) -> Cow<'m, str> {
        called(model, REGISTERED)
    }

    fn secret_chars_min(&self) -> usize {
        10
    }

    fn subscriptions(&self, offset: usize) -> String {
        let query = "?order-by=created_at:asc,id:asc&limit=250&offset=";
        [WEBHOOKS, query, &offset.to_string()].concat()
    }

    fn read_subscriptions(&self, body: &str) -> Option<Subscriptions> {
        let [results, meta] = json::pick(body, &["results", "meta"])?;
        let rows = json::items(results?.get())?.into_iter();
        let meta = meta.and_then(|meta| json::pick(meta.get(), &["hasMore"]));
        let [has_more] = meta.unwrap_or_default();
        Some(Subscriptions {
            all: rows
                .map(|row| subscription(row.get()))
                .collect::<Option<_>>()?,
            has_more: has_more.and_then(json::flag).unwrap_or(false),
        })
    }

    fn subscribe(&self, id: Option<&str>, body: String) -> Change {
        let (method, path) = match id {
            Some(id) => ("PUT", [WEBHOOKS, &encode_segment(id)].concat()),
            None => ("POST", WEBHOOKS.to_owned()),
        };
        Change { method, path, body }
    }

    fn is_unknown_parameter(&self, body: &str) -> bool {
        body.contains("unrecognized_keys")
    }
}

/// A webhook; `None` if it is no object, or one without id and address.
fn subscription(json: &str) -> Option<Subscription> {
    let names = ["id", "url", "active", "secret", "triggers", "headers"];
    let [id, url, active, secret, triggers, headers] = json::pick(json, &names)?;
    let triggers = triggers.and_then(|all| json::pick_each(all.get(), &["trigger", "model"]));
    let trigger = |[name, model]: json::Picked<2>| {
        Some(Trigger {
            name: json::text(name?)?.into_owned(),
            model: model.and_then(json::text).map(Cow::into_owned),
        })
    };
    let headers = headers.filter(|value| json::items(value.get()).is_some());
    Some(Subscription {
        id: json::id(id?)?.into_owned(),
        url: json::text(url?)?.into_owned(),
        is_active: active.and_then(json::flag).unwrap_or(false),
        secret: secret.and_then(json::text).map(Cow::into_owned),
        triggers: (triggers.unwrap_or_default().into_iter())
            .filter_map(trigger)
            .collect(),
        headers: headers.map_or("[]", json::Value::get).to_owned(),
    })
}

/// A record; `None` if it is no object, or has no id.
fn row(json: &str) -> Option<Row<'_>> {
    let fields = ["id", "updated_at", "integration_id", "property_id", "last_seen"];
    let [id, changed_at, integration, property, last_seen] = json::pick(json, &fields)?;
    Some(Row {
        json,
        id: json::id(id?)?,
        changed_at: changed_at.and_then(json::text),
        integration: integration.and_then(json::id),
        property: property.and_then(json::id),
        last_seen: last_seen.and_then(json::text),
    })
}

fn list_path(model: &str) -> Option<Cow<'static, str>> {
    if REGULAR.contains(&model) {
        let name = model.replace('_', "-");
        return Some(Cow::Owned(["/v1/", &name, "/"].concat()));
    }
    let path = paired(RENAMED, model).or_else(|| paired(LIST_ONLY, model))?;
    Some(Cow::Borrowed(path))
}

/// What stands beside `model`.
fn paired<T: Copy>(table: &[(&str, T)], model: &str) -> Option<T> {
    let found = table.iter().find(|(name, _)| *name == model);
    found.map(|(_, other)| *other)
}
