// Lists: their parameters are checked, and records filtered, put in order and cut into pages by them.

import { FILTERS_NEW } from "./models.mjs";

const PAGING = ["offset", "limit", "order-by"];
const PAGE = 100;
const PAGE_MAX = 250;

const STATUSES = ["ACTIVE", "INACTIVE", "OTHER", "PENDING", "EVICTED"];
const DATE = /^\d{4}-\d\d-\d\d$/;
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/** What is wrong with a request, in the words of the real one's validator. */
export class Invalid extends Error {
  constructor(...issues) {
    super("invalid request");
    this.issues = issues;
  }
}

const issue = (code, name, message, more = {}) => ({ code, ...more, path: [name], message });

/**
 * Reads the parameters of a list with these `filters` and `fields`; throws what is wrong with them. With
 * `newer` there are the filters by time, too.
 */
export function parse(params, { filters, fields, newer }) {
  const known = [...PAGING, ...filters, ...(newer ?? [])];
  const unknown = [...new Set(params.keys())].filter((name) => !known.includes(name));
  if (unknown.length) {
    const message = `Unrecognized key(s) in object: ${unknown.map((name) => `'${name}'`).join(", ")}`;
    throw new Invalid({ code: "unrecognized_keys", keys: unknown, path: [], message });
  }
  const given = Object.fromEntries(params);
  const isByForeignId = Object.keys(given).some((name) => name.startsWith("x_"));
  const needed = ["integration_id", "x_property_id"].filter((name) => filters.includes(name));
  if (isByForeignId && needed.some((name) => !(name in given))) {
    throw new Invalid(issue("custom", "x_id", `${needed.join(" and ")} are required with it`));
  }
  for (const [name, text] of Object.entries(given)) check(name, text);
  return {
    filters: Object.entries(given).filter(([name]) => !PAGING.includes(name)),
    offset: number("offset", given.offset, 0, Infinity),
    limit: number("limit", given.limit ?? String(PAGE), 0, PAGE_MAX),
    orderBy: order(given["order-by"] ?? "created_at:desc", fields),
  };
}

function check(name, text) {
  const isTime = FILTERS_NEW.includes(name) || name === "before" || name === "after";
  if (isTime && !(TIME.test(text) && Number.isFinite(Date.parse(text)))) {
    throw new Invalid(issue("invalid_string", name, "Invalid datetime", { validation: "datetime" }));
  }
  if (/^(before|after)_move_(in|out)_date$/.test(name) && !DATE.test(text)) {
    throw new Invalid(issue("invalid_string", name, "Invalid date", { validation: "date" }));
  }
  if (name === "status_normalized" && !STATUSES.includes(text)) {
    throw new Invalid(issue("invalid_enum_value", name, "Invalid enum value", { received: text, options: STATUSES }));
  }
}

function number(name, text = "0", min, max) {
  const value = Number(text);
  if (!/^-?\d+$/.test(text)) throw new Invalid(issue("invalid_type", name, "Expected integer"));
  if (value < min) throw new Invalid(issue("too_small", name, `Must be ${min} or more`, { minimum: min }));
  if (value > max) throw new Invalid(issue("too_big", name, `Must be ${max} or less`, { maximum: max }));
  return value;
}

function order(text, fields) {
  return text.split(",").map((part) => {
    const [field, direction = "asc", ...rest] = part.split(":");
    if (!fields.includes(field) || !["asc", "desc"].includes(direction) || rest.length) {
      throw new Invalid(issue("custom", "order-by", `Invalid order: ${part}`));
    }
    return { field, direction };
  });
}

const movedIn = (lease) => lease.realized_move_in_date ?? lease.scheduled_move_in_date;
const movedOut = (lease) => lease.realized_move_out_date ?? lease.scheduled_move_out_date;
const is = (text, flag) => text === String(flag);
const time = (text) => Date.parse(text);

/** Filters that ask for something else than an equal field. */
const SPECIAL = {
  updated_at_gte: (record, text) => time(record.updated_at) >= time(text),
  updated_at_lte: (record, text) => time(record.updated_at) <= time(text),
  // A diff was seen when it came to be.
  last_seen_gte: (record, text) => time(record.last_seen ?? record.created_at) >= time(text),
  last_seen_lte: (record, text) => time(record.last_seen ?? record.created_at) <= time(text),
  after: (diff, text) => time(diff.created_at) >= time(text),
  before: (diff, text) => time(diff.created_at) <= time(text),
  integration_vendor: (record, text) => (record.integration_vendor ?? record.vendor) === text,
  // Propexo's older word for a property.
  location_id: (record, text) => record.property_id === text,
  is_active: (record, text) => is(text, record.is_active),
  is_archived: (record, text) => is(text, record.is_archived),
  unit_number: (record, text) => (record.unit_number ?? record.number) === text,
  before_move_in_date: (lease, text) => movedIn(lease) < text,
  after_move_in_date: (lease, text) => movedIn(lease) > text,
  before_move_out_date: (lease, text) => movedOut(lease) < text,
  after_move_out_date: (lease, text) => movedOut(lease) > text,
  only_null_move_outs: (lease, text) => text !== "true" || !movedOut(lease),
  resident_id: (lease, text) => lease.residents_meta_data.some((part) => part.resident_id === text),
  lease_id: (resident, text) => resident.leases_meta_data.some((part) => part.lease_id === text),
};

const compare = (a, b) => {
  if (a === b) return 0;
  // What isn't known comes last, as in PostgreSQL.
  if (a === null || b === null) return a === null ? 1 : -1;
  return a < b ? -1 : 1;
};

/** By list of records, the same in the orders that were asked for. */
const ordered = new WeakMap();

function inOrder(records, orderBy) {
  if (!ordered.has(records)) ordered.set(records, new Map());
  const orders = ordered.get(records);
  const key = JSON.stringify(orderBy);
  if (!orders.has(key)) {
    const by = (a, b) => {
      for (const { field, direction } of orderBy) {
        const order = compare(a[field], b[field]);
        if (order) return direction === "asc" ? order : -order;
      }
      return 0;
    };
    orders.set(key, records.toSorted(by));
  }
  return orders.get(key);
}

/** A page of `records`, a list that never changes: `{meta, results}`. */
export function page(records, { filters, offset, limit, orderBy }, { hasMoreIsNull = false } = {}) {
  // By the description, a resident isn't looked at beside dates.
  const byDate = filters.some(([name]) => /_move_(in|out)_date$/.test(name));
  const used = filters.filter(([name]) => !(byDate && name === "resident_id"));
  const found = inOrder(records, orderBy).filter((record) =>
    used.every(([name, text]) => SPECIAL[name]?.(record, text) ?? String(record[name]) === text),
  );
  const results = found.slice(offset, offset + limit);
  const hasMore = hasMoreIsNull ? null : offset + limit < found.length;
  // What the real one says in `total` is never to be relied on either.
  return { meta: { offset, limit, orderBy, hasMore, total: 0 }, results };
}
