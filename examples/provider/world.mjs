// The system behind an integration, with its properties, units, leases and residents: what is true, whether
// or not a sync has seen it yet.

import { MODELS } from "./models.mjs";
import { DAY_MS, day } from "./timeline.mjs";

const PROPERTIES = [
  { name: "Oak Court", address_1: "12 Oak Street", city: "Austin", state: "TX", zip: "78701" },
  { name: "Harbor View", address_1: "400 Pier Avenue", city: "Tacoma", state: "WA", zip: "98402" },
  { name: "Mill Lofts", address_1: "7 Mill Lane", city: "Durham", state: "NC", zip: "27701" },
];
const FIRST_NAMES = ["Ana", "Ben", "Chloé", "Dara", "Eli", "Farah", "Gus", "Hana", "Ivo", "Jun", "Kim", "Lea"];
const LAST_NAMES = ["Almeida", "Brook", "Castillo", "Dietz", "Ekström", "Ford", "Gupta", "Hill", "Ito", "Jansen"];

/** How many units are let at the beginning, and how many of the others soon will be. */
const LET = 0.85;
const SIGNED = 0.4;

/** How the system behind calls a lease's status. */
export const RAW = { PENDING: "Future", ACTIVE: "Current", INACTIVE: "Past" };

/** An amount in cents as text. */
export const raw = (cents) => (cents / 100).toFixed(2);

export class System {
  #numbers = 10_000;

  /** Ids of records that are there no more: no sync sees them. */
  left = new Set();

  /** By lease, what joins its residents to it. */
  #joins = new Map();

  /** By model, the records by id: their fields as far as they are known. */
  tables = Object.fromEntries(Object.keys(MODELS).map((model) => [model, new Map()]));

  constructor({ random, units, now }) {
    this.random = random;
    const homes = PROPERTIES.map((property) => this.#property(property, now));
    for (let n = 0; n < units; n += 1) {
      const unit = this.#unit(homes[n % homes.length], Math.floor(n / homes.length));
      if (random.chance(LET)) this.#tenancy(unit, now);
      else if (random.chance(SIGNED)) this.sign(unit, now);
    }
  }

  all(model) {
    return [...this.tables[model].values()];
  }

  add(model, fields) {
    this.#numbers += 1;
    const id = this.random.id(MODELS[model].prefix);
    const record = { id, x_id: String(this.#numbers), ...fields };
    this.tables[model].set(id, record);
    return record;
  }

  /** The residents of a lease, each with what joins the two. */
  party(lease) {
    const joins = this.#joins.get(lease.id) ?? [];
    return joins.map((join) => ({ join, resident: this.tables.residents.get(join.resident_id) }));
  }

  unitOf(lease) {
    return this.tables.units.get(lease.unit_id);
  }

  #property(property, now) {
    const { random } = this;
    const record = this.add("properties", {
      ...property,
      country: "US",
      code: property.name.slice(0, 3).toUpperCase(),
      is_active: true,
      manager_name: this.#name().join(" "),
      manager_email: `office@${property.name.toLowerCase().replace(" ", "-")}.example`,
      manager_phone_1: this.phone(),
      manager_phone_1_type: "WORK",
      type_raw: "Apartment",
      type_normalized: "MULTI_FAMILY",
      year_built: random.between(1920, 2020),
      x_created_at: day(now - random.between(400, 4_000) * DAY_MS),
      number_of_units: 0,
      pet_types: [{ name: "Cat", is_allowed: true, fee_raw: "25.00", fee_in_cents: 2_500 }],
    });
    Object.assign(record, { property_id: record.id, x_property_id: record.x_id });
    this.add("fees", {
      property_id: record.id,
      x_property_id: record.x_id,
      name: "Late fee",
      amount_in_cents: 5_000,
      amount_raw: "50.00",
    });
    return record;
  }

  #unit(home, n) {
    const { random } = this;
    const rent = random.between(1_100, 3_400) * 100;
    home.number_of_units += 1;
    return this.add("units", {
      property_id: home.id,
      x_property_id: home.x_id,
      number: `${Math.floor(n / 4) + 1}${"ABCD"[n % 4]}`,
      floor: String(Math.floor(n / 4) + 1),
      bedrooms: String(random.between(0, 3)),
      bathrooms: random.pick(["1", "1.5", "2"]),
      square_feet: random.between(420, 1_500),
      address_1: home.address_1,
      city: home.city,
      state: home.state,
      zip: home.zip,
      country: "US",
      is_vacant: true,
      is_available: true,
      is_furnished: random.chance(0.1),
      rent_amount_market_in_cents: rent,
      rent_amount_min_in_cents: rent - 5_000,
      rent_amount_max_in_cents: rent + 5_000,
      pets_allowed: random.chance(0.7),
    });
  }

  /** A lease that somebody has signed, to move in soon. */
  sign(unit, now) {
    const { random } = this;
    const from = now + random.between(1, 30) * DAY_MS;
    const rent = unit.rent_amount_market_in_cents;
    const lease = this.add("leases", {
      property_id: unit.property_id,
      x_property_id: unit.x_property_id,
      unit_id: unit.id,
      x_unit_id: unit.x_id,
      unit_number: unit.number,
      application_date: day(now - 5 * DAY_MS),
      signature_date: day(now),
      start_date: day(from),
      end_date: day(from + 364 * DAY_MS),
      scheduled_move_in_date: day(from),
      term: "12",
      type: "Standard",
      rent_due_day: 1,
      rent_amount_in_cents: rent,
      rent_amount_market_in_cents: rent,
      deposit_amount: raw(rent),
      deposit_amount_in_cents: rent,
      status_normalized: "PENDING",
      status_raw: RAW.PENDING,
      balance_amount_in_cents: 0,
      balance_amount_raw: "0.00",
    });
    unit.is_available = false;
    this.join(lease, "PRIMARY");
    if (random.chance(0.4)) this.join(lease, "SECONDARY");
    return lease;
  }

  /** The people of a lease move in. */
  moveIn(lease, now) {
    Object.assign(lease, { status_normalized: "ACTIVE", status_raw: RAW.ACTIVE, realized_move_in_date: day(now) });
    Object.assign(this.unitOf(lease), { is_vacant: false, is_available: false });
    for (const { join } of this.party(lease)) join.move_in_date = day(now);
  }

  /** A new resident in a lease. */
  join(lease, type) {
    const [first_name, last_name] = this.#name();
    const unit = this.unitOf(lease);
    const resident = this.add("residents", {
      property_id: lease.property_id,
      first_name,
      last_name,
      email_1: this.email(first_name, last_name),
      phone_1: this.phone(),
      phone_1_type: "MOBILE",
      address_1: unit.address_1,
      address_2: unit.number,
      city: unit.city,
      state: unit.state,
      zip: unit.zip,
      country: "US",
      balance_in_cents: 0,
      pets: [],
      vehicles: [],
    });
    const join = this.add("residents_to_leases", {
      property_id: lease.property_id,
      resident_id: resident.id,
      lease_id: lease.id,
      resident_type_normalized: type,
      x_resident_type: type === "PRIMARY" ? "Head" : "Roommate",
      move_in_date: lease.realized_move_in_date ?? lease.scheduled_move_in_date,
    });
    this.#joins.set(lease.id, [...(this.#joins.get(lease.id) ?? []), join]);
    return resident;
  }

  email(first, last) {
    const plain = `${first}.${last}`.normalize("NFD").replace(/[^a-z.]/gi, "");
    return `${plain.toLowerCase()}${this.random.between(1, 999)}@mail.example`;
  }

  phone() {
    return `+1 555 ${this.random.between(1_000_000, 9_999_999)}`;
  }

  #name() {
    return [this.random.pick(FIRST_NAMES), this.random.pick(LAST_NAMES)];
  }

  /** A lease that has been running for a while. */
  #tenancy(unit, now) {
    const then = now - this.random.between(40, 360) * DAY_MS;
    this.moveIn(this.sign(unit, then), then + 30 * DAY_MS);
  }
}
