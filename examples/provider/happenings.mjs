// What happens in a system behind: people sign, move in and out, renew and pay; rents change. Each gives a
// line that tells of it, or nothing where it can't happen just now.

import { DAY_MS, day, iso } from "./timeline.mjs";
import { RAW, raw } from "./world.mjs";

const leases = (system, status) => system.all("leases").filter((lease) => lease.status_normalized === status);

const one = (system, records) => (records.length ? system.random.pick(records) : undefined);

const who = (system, lease) => {
  const { first_name, last_name } = system.party(lease)[0].resident;
  return `${first_name} ${last_name}`;
};

function signs(system, now) {
  const taken = new Set(leases(system, "PENDING").map((lease) => lease.unit_id));
  const free = system.all("units").filter((unit) => unit.is_vacant && !taken.has(unit.id));
  const unit = one(system, free);
  if (!unit) return undefined;
  const lease = system.sign(unit, now);
  return `${who(system, lease)} signs for ${unit.number}`;
}

function movesIn(system, now) {
  const lease = one(
    system,
    leases(system, "PENDING").filter((lease) => system.unitOf(lease).is_vacant),
  );
  if (!lease) return undefined;
  system.moveIn(lease, now);
  return `${who(system, lease)} moves into ${lease.unit_number}`;
}

function movesOut(system, now) {
  const lease = one(system, leases(system, "ACTIVE"));
  if (!lease) return undefined;
  Object.assign(lease, {
    status_normalized: "INACTIVE",
    status_raw: RAW.INACTIVE,
    realized_move_out_date: day(now),
    end_date: day(now),
  });
  Object.assign(system.unitOf(lease), { is_vacant: true, is_available: true });
  for (const { join } of system.party(lease)) join.move_out_date = day(now);
  return `${who(system, lease)} moves out of ${lease.unit_number}`;
}

/** Only what joins the residents to the lease changes: neither the lease nor a resident does. */
function givesNotice(system, now) {
  const running = leases(system, "ACTIVE").filter((lease) => !system.party(lease)[0].join.notice_date);
  const lease = one(system, running);
  if (!lease) return undefined;
  for (const { join } of system.party(lease)) join.notice_date = day(now);
  return `${who(system, lease)} gives notice for ${lease.unit_number}`;
}

function renews(system, now) {
  const lease = one(system, leases(system, "ACTIVE"));
  if (!lease) return undefined;
  Object.assign(lease, {
    end_date: day(Date.parse(lease.end_date) + 365 * DAY_MS),
    signature_date: day(now),
    rent_amount_in_cents: lease.rent_amount_in_cents + system.random.between(1, 12) * 1_000,
  });
  return `${who(system, lease)} renews for ${lease.unit_number}`;
}

function owes(system) {
  const lease = one(system, leases(system, "ACTIVE"));
  if (!lease) return undefined;
  const cents = lease.balance_amount_in_cents ? 0 : system.random.between(5, 300) * 1_000;
  Object.assign(lease, { balance_amount_in_cents: cents, balance_amount_raw: raw(cents) });
  system.party(lease)[0].resident.balance_in_cents = cents;
  return `${who(system, lease)} ${cents ? `owes ${raw(cents)}` : "has paid"}`;
}

function rentChanges(system) {
  const unit = one(system, system.all("units"));
  const rent = unit.rent_amount_market_in_cents + system.random.pick([-3, -2, -1, 1, 2, 3, 4]) * 2_500;
  Object.assign(unit, {
    rent_amount_market_in_cents: rent,
    rent_amount_min_in_cents: rent - 5_000,
    rent_amount_max_in_cents: rent + 5_000,
  });
  return `the rent of ${unit.number} is ${raw(rent)} now`;
}

function isReachedElsewhere(system) {
  const resident = one(system, system.all("residents"));
  if (!resident) return undefined;
  const { first_name, last_name } = resident;
  if (system.random.chance(0.5)) resident.phone_1 = system.phone();
  else resident.email_1 = system.email(first_name, last_name);
  return `${first_name} ${last_name} is reached elsewhere`;
}

/** The lease itself doesn't change, although the API shows another one. */
function joins(system, now) {
  const lease = one(system, leases(system, "ACTIVE"));
  if (!lease || system.party(lease).length > 3) return undefined;
  const resident = system.join(lease, "SECONDARY");
  system.party(lease).at(-1).join.move_in_date = day(now);
  return `${resident.first_name} ${resident.last_name} joins ${who(system, lease)} in ${lease.unit_number}`;
}

/** Nobody is told of this. */
function getsPet(system, now) {
  const resident = one(system, system.all("residents"));
  if (!resident) return undefined;
  const type = system.random.pick(["Cat", "Dog", "Parrot"]);
  const at = iso(now);
  const times = { created_at: at, updated_at: at, last_seen: at };
  const id = system.random.id("pet");
  const pet = { id, ...times, x_id: id.slice(-5), name: system.random.pick(["Pip", "Rex", "Mia"]), type };
  resident.pets = [...resident.pets, pet];
  return `${resident.first_name} ${resident.last_name} has a ${type.toLowerCase()} now, silently`;
}

function changesManager(system) {
  const property = one(system, system.all("properties"));
  property.manager_phone_1 = system.phone();
  return `${property.name} has another number`;
}

/** The provider never says so: only `last_seen` stays behind. */
function isGone(system) {
  const lease = one(system, leases(system, "INACTIVE"));
  if (!lease) return undefined;
  for (const { join } of system.party(lease)) system.tables.residents_to_leases.delete(join.id);
  system.tables.leases.delete(lease.id);
  return `a past lease of ${lease.unit_number} is gone, silently`;
}

/** How often, beside each other. */
const OFTEN = [
  [3, signs],
  [4, movesIn],
  [2, movesOut],
  [2, givesNotice],
  [3, renews],
  [5, owes],
  [3, rentChanges],
  [2, isReachedElsewhere],
  [1, joins],
  [1, getsPet],
  [1, changesManager],
  [1, isGone],
].flatMap(([times, happening]) => Array(times).fill(happening));

/** Something happens in `system`; gives the line that tells of it. */
export function happen(system, now) {
  for (;;) {
    const line = system.random.pick(OFTEN)(system, now);
    if (line) return line;
  }
}
