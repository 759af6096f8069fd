// The models that this provider has: their paths, fields and filters in the API, as Propexo describes them.

const words = (text) => text.trim().split(/\s+/);

/** Filters of all lists, but for those of the data diffs. */
export const FILTERS_NEW = words("updated_at_gte updated_at_lte last_seen_gte last_seen_lte");

/**
 * In the order in which a sync reads them.
 * - `path` of the list; an item's is the same and its id. None: it's only inside of other records.
 * - `fields`: the model's own, which webhooks have too. A field that isn't known is there as null.
 * - `early`: those that a new record has at once. The others come a little later.
 * - `silent`: parts whose change nobody tells of.
 * - `same`: further names in the API for fields, by those fields.
 * - `renamed`: what webhooks call a field, where that differs.
 * - `prefix` of ids.
 */
export const MODELS = {
  properties: {
    prefix: "property",
    path: "/v1/properties/",
    fields: words(`property_id x_created_at x_id x_property_id x_building_id building_number city code country county
      custom_data is_active manager_email manager_name manager_phone_1 manager_phone_1_type manager_phone_2
      manager_phone_2_type name notes number_of_units square_feet state address_1 address_2 type_raw type_normalized
      website year_built zip long_description short_description office_hours pet_types associated_owner_ids`),
    early: words("property_id x_id x_property_id name"),
    silent: [],
    same: {
      address_1: "street_address_1",
      address_2: "street_address_2",
      square_feet: "square_footage",
      type_raw: "type",
    },
    renamed: { address_1: "street_address_1", address_2: "street_address_2" },
    filters: words("x_id x_property_id location_id integration_id integration_vendor is_active"),
  },
  units: {
    prefix: "unit",
    path: "/v1/units/",
    fields: words(`x_id x_property_id x_floor_plan_id x_unit_type_id bathrooms bathrooms_full bathrooms_half bedrooms
      building_name building_number city country custom_data floor_plan_code floor_plan_name floor is_available
      is_furnished is_vacant number rent_amount_market_in_cents rent_amount_max_in_cents rent_amount_min_in_cents
      square_feet state address_1 address_2 zip pets_allowed dogs_allowed cats_allowed pet_policy floor_plan_id
      property_id unit_type_id`),
    early: words("x_id x_property_id property_id number"),
    silent: [],
    same: { address_1: "street_address_1", address_2: "street_address_2", is_available: "is_listed" },
    renamed: { address_1: "street_address_1", address_2: "street_address_2" },
    filters: words("x_id x_property_id location_id property_id integration_id integration_vendor unit_number"),
  },
  leases: {
    prefix: "lease",
    path: "/v1/leases/",
    fields: words(`x_id x_property_id x_resident_id x_unit_id application_date custom_data deposit_amount
      deposit_amount_in_cents deposit_date end_date realized_move_in_date realized_move_out_date rent_amount_in_cents
      rent_amount_market_in_cents rent_due_day rent_due_date scheduled_move_in_date scheduled_move_out_date
      signature_date start_date status_normalized status_raw term type unit_number write_off_amount_in_cents
      write_off_amount_raw balance_amount_in_cents balance_amount_raw past_due_balance_in_cents past_due_balance_raw
      unit_id property_id services`),
    early: words("x_id x_property_id property_id unit_id unit_number"),
    silent: [],
    same: { status_raw: "status" },
    renamed: {},
    filters: words(`x_id x_property_id x_unit_id location_id unit_id resident_id property_id integration_id
      before_move_in_date after_move_in_date before_move_out_date after_move_out_date only_null_move_outs
      integration_vendor status_normalized status_raw unit_number`),
  },
  residents: {
    prefix: "resident",
    path: "/v1/residents/",
    fields: words(`x_id x_lease_id address_1_alternate address_1 address_2_alternate address_2 balance_in_cents
      city_alternate city country_alternate country custom_data date_of_birth email_1 email_2 first_name is_employee
      last_name late_balance_in_cents middle_name notes phone_1_type phone_1 phone_2_type phone_2 state_alternate state
      zip_alternate zip pets vehicles property_id`),
    early: words("x_id property_id first_name last_name"),
    silent: ["pets"],
    same: {},
    renamed: {},
    filters: words(`x_id x_property_id location_id property_id lease_id integration_id integration_vendor email_1
      phone_1`),
  },
  // The only list that can't be asked for by integration.
  fees: {
    prefix: "fee",
    path: "/v1/fees/",
    fields: words(`x_id x_property_id x_location_id x_charge_code_id x_floor_plan_id x_unit_id amount_in_cents
      amount_raw charge_code_name description name custom_data property_id floor_plan_id unit_id charge_code_id`),
    early: words("x_id x_property_id property_id name"),
    silent: [],
    same: {},
    renamed: {},
    filters: words("floor_plan_id unit_id charge_code_id"),
  },
  residents_to_leases: {
    prefix: "resident_lease",
    path: null,
    fields: words(`resident_id lease_id x_resident_type resident_type_normalized move_in_date move_out_date notice_date
      custom_data`),
    early: words("resident_id lease_id"),
    silent: [],
    same: {},
    renamed: {},
    filters: [],
  },
};

/** Fields that hold lists; where they aren't known, they are empty. */
export const LISTS = words("office_hours pet_types associated_owner_ids services pets vehicles");

/** Paths of Propexo's other models: here their lists are empty. */
export const EMPTY = words(`accounting-entities address-types amenities applicants application-statuses
  application-templates applications call-logs charge-codes concessions construction-jobs deposit-summaries deposits
  employees event-results event-sub-types event-types events file-types financial-accounts floor-plans invoices
  lead-relationships lead-sources leads lease-transfers listings note-categories owners payable-registers
  property-lists purchase-orders recurring-resident-charges rentable-items resident-charges resident-insurance
  resident-payments service-request-categories service-request-history service-request-locations
  service-request-priorities service-request-problems service-request-statuses service-requests timezones unit-types
  vendors`)
  .map((name) => `/v1/${name}/`)
  .concat("/v1/units/details", "/v1/listings/pricing");

export const EMPTY_FILTERS = words("x_id x_property_id location_id property_id integration_id integration_vendor");

export const INTEGRATION = {
  path: "/v1/admin/integrations/",
  filters: words("integration_vendor is_archived"),
  fields: words(`id created_at updated_at name vendor active system max_job_concurrency max_request_frequency
    max_request_cadence base_url is_archived last_completed_sync last_completed_back_sync new_properties_are_enabled
    integration_interfaces models can_authenticate last_data_access_check configuration_meta_data`),
};

export const DIFF = {
  path: "/v1/admin/data-diffs/",
  filters: words("integration_vendor integration_id before after"),
  fields: words(`id model model_record_id event_type data_diff created_at job_id integration_id integration_vendor`),
};

export const WEBHOOK = {
  path: "/v1/webhooks/",
  fields: words("id created_at updated_at url headers active secret system triggers"),
  triggers: words("DATA_UPDATE DATA_NEW JOB_FAILURE SYNC_COMPLETE FIRST_SYNC_COMPLETE WRITE_OPERATION_FAILURE"),
};

/** Vendors of the systems behind: each integration has another one. */
export const VENDORS = words("YARDI ENTRATA BUILDIUM RESMAN");

/** A model's name as webhooks write it. */
export const kebab = (model) => model.replaceAll("_", "-");
