// The API: paths, keys, limits and errors as Propexo describes them. What its description leaves open is
// chosen by options.

import { DIFF, EMPTY, EMPTY_FILTERS, FILTERS_NEW, INTEGRATION, MODELS, WEBHOOK } from "./models.mjs";
import { Invalid, page, parse } from "./query.mjs";
import { DAY_MS } from "./timeline.mjs";

const DIFFS_KEPT_MS = 30 * DAY_MS;
const SECRET_LENGTH_MIN = 10;

const failed = (status, code, message, details) => ({
  status,
  body: { error: { code, message, ...(details && { details }) } },
});

const NOT_FOUND = failed(404, "not_found", "not found");
const NOT_ALLOWED = failed(405, "method_not_allowed", "method not allowed");

export class Api {
  /** How many were answered, by their status. */
  requests = {};

  /** By model, its records as they were shown last. */
  #shown = new Map();

  /**
   * - `integrations`: each with its `cache` and `syncs`.
   * - `diffs`: all that were ever made.
   * - `limit`: counts requests.
   */
  constructor({ timeline, integrations, diffs, webhooks, limit, faults, clock, options }) {
    Object.assign(this, { timeline, integrations, diffs, webhooks, limit, faults, clock, options });
  }

  /** Answers a request: `{status, headers, body, delay_ms}`. */
  answer({ method = "GET", path, headers = {}, body = "" }) {
    const right = this.#answer({ method, path, headers, body });
    const given = right.status < 300 ? this.faults.change(path, right) : right;
    const counted = given.hangs ? "hang" : given.status;
    this.requests[counted] = (this.requests[counted] ?? 0) + 1;
    return given;
  }

  #answer({ method, path, headers, body }) {
    const { key } = this.options;
    if (key === null || headers.authorization !== `Bearer ${key}`) {
      return { headers: {}, delay_ms: 0, ...failed(401, "unauthorized", "unauthorized") };
    }
    const taken = this.limit.take(this.clock());
    const rest = { headers: taken.headers, delay_ms: taken.delay_ms };
    if (taken.isUsedUp) return { ...rest, ...failed(429, "too_many_requests", "too many requests") };
    try {
      return { ...rest, status: 200, ...this.#route(method, new URL(path, "http://provider"), body) };
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      const details = { name: "ZodError", issues: error.issues };
      return { ...rest, ...failed(400, "invalid_request", error.message, details) };
    }
  }

  #route(method, { pathname, searchParams }, body) {
    if (pathname.startsWith("/v1/admin/") && this.options["no-admin"]) return failed(403, "forbidden", "forbidden");
    if (pathname === WEBHOOK.path && method === "POST") {
      return { body: { meta: { orderBy: [] }, results: this.webhooks.register(checked(body)) } };
    }
    const hook = this.#hook(pathname);
    if (hook && method === "PUT") {
      return { body: { meta: { orderBy: [] }, results: this.webhooks.change(hook, checked(body)) } };
    }
    const found = this.#find(pathname, searchParams);
    if (found === NOT_FOUND) return NOT_FOUND;
    return method === "GET" ? { body: found() } : NOT_ALLOWED;
  }

  /** What gives the answer for a path. Lists end in a slash, items don't, but for those of integrations. */
  #find(pathname, params) {
    const list = (records, about) => () => {
      const query = parse(params, about);
      return page(records, query, { hasMoreIsNull: this.options["has-more-null"] });
    };
    const newer = this.options["old-api"] ? [] : FILTERS_NEW;
    if (pathname === INTEGRATION.path) {
      return list(
        this.integrations.map(({ about }) => about),
        { ...INTEGRATION, newer },
      );
    }
    if (pathname === DIFF.path) {
      // Of the new filters this list has only these.
      return list(this.#diffs(), { ...DIFF, newer: newer.filter((name) => name.startsWith("last_seen")) });
    }
    if (pathname === WEBHOOK.path) return list([...this.webhooks.hooks], { ...WEBHOOK, filters: [] });
    if (EMPTY.includes(pathname)) return list([], { filters: EMPTY_FILTERS, fields: ["id", "created_at"], newer });
    const model = Object.keys(MODELS).find((model) => MODELS[model].path && pathname.startsWith(MODELS[model].path));
    if (model && pathname === MODELS[model].path) return list(this.records(model), this.#about(model, newer));
    const item = this.#item(model, pathname);
    if (!item) return NOT_FOUND;
    // Items have the parameters of pages too, without effect.
    return () => {
      const { orderBy, offset, limit } = parse(params, { filters: [], fields: Object.keys(item) });
      return { meta: { offset, limit, orderBy, hasMore: false, total: 0 }, results: item };
    };
  }

  #item(model, pathname) {
    const [, id] = pathname.match(/^\/v1\/admin\/integrations\/([^/]+)\/$/) ?? [];
    if (id) return this.#integration(id);
    const last = pathname.slice(pathname.lastIndexOf("/") + 1);
    const hook = this.#hook(pathname);
    if (hook) return hook;
    if (model && pathname === MODELS[model].path + last) return this.records(model).find(({ id }) => id === last);
    return undefined;
  }

  #hook(pathname) {
    return this.webhooks.hooks.find(({ id }) => pathname === WEBHOOK.path + id);
  }

  #integration(id) {
    const found = this.integrations.find(({ about }) => about.id === id);
    return found && { ...found.about, is_running_sync: found.syncs.isRunning, is_running_data_access_check: false };
  }

  #diffs() {
    const since = this.timeline.now - DIFFS_KEPT_MS;
    return this.diffs.filter((diff) => Date.parse(diff.created_at) >= since);
  }

  #about(model, newer) {
    const { fields, filters, same } = MODELS[model];
    const always = ["id", "created_at", "updated_at", "last_seen", "integration_id", "integration_vendor"];
    return { filters, newer, fields: [...always, ...fields, ...Object.values(same)] };
  }

  /** All records of a model, as they are shown; with `isTruth`, neither late nor hidden. */
  records(model, isTruth = false) {
    const lags = !isTruth && (this.options["read-lag"] > 0 || this.options["new-lag"] > 0);
    const revision = this.integrations.map(({ cache }) => cache.revision).join();
    const known = this.#shown.get(model);
    if (!lags && known?.revision === revision) return known.records;
    const records = this.#show(model, lags ? this.timeline.now : undefined);
    if (!lags) this.#shown.set(model, { revision, records });
    return records;
  }

  #show(model, now) {
    const hidden_ms = this.options["new-lag"] * 1_000 * this.options.speed;
    const isOld = ({ created_at }) => now === undefined || Date.parse(created_at) <= now - hidden_ms;
    return this.integrations.flatMap(({ about, cache }) => {
      const joins = cache.read("residents_to_leases", now);
      const parts = PARTS[model] && group(joins, PARTS[model].by);
      const states = cache.read(model, now).filter(isOld);
      return states.map((state) => {
        const more = Object.entries(MODELS[model].same).map(([field, name]) => [name, state[field]]);
        const shown = {
          ...state,
          ...Object.fromEntries(more),
          integration_id: about.id,
          integration_vendor: about.vendor,
        };
        if (PARTS[model]) shown[PARTS[model].as] = (parts.get(state.id) ?? []).map(part(PARTS[model].by));
        return shown;
      });
    });
  }
}

/** A registration as `POST` and `PUT` take it; throws what is wrong with it. */
function checked(text) {
  let asked;
  try {
    asked = JSON.parse(text);
  } catch {
    throw new Invalid({ code: "invalid_type", path: [], message: "Expected object" });
  }
  const { url, triggers, model, secret, headers = [], active = false } = asked ?? {};
  const wrong = [
    [typeof url !== "string" || !URL.canParse(url), "url", "Invalid url"],
    [!Array.isArray(triggers) || !triggers.every((one) => WEBHOOK.triggers.includes(one)), "triggers", "Invalid"],
    [model !== undefined && typeof model !== "string", "model", "Expected string"],
    [secret !== undefined && !(secret?.length >= SECRET_LENGTH_MIN), "secret", "Must be 10 characters or more"],
    [!Array.isArray(headers), "headers", "Expected array"],
    [typeof active !== "boolean", "active", "Expected boolean"],
  ];
  const issues = wrong.filter(([is]) => is).map(([, name, message]) => ({ code: "custom", path: [name], message }));
  if (issues.length) throw new Invalid(...issues);
  return asked;
}

/** What joins residents and leases is shown inside of both. */
const PARTS = {
  leases: { by: "lease_id", as: "residents_meta_data" },
  residents: { by: "resident_id", as: "leases_meta_data" },
};

function group(joins, by) {
  const groups = new Map();
  for (const join of joins) groups.set(join[by], [...(groups.get(join[by]) ?? []), join]);
  return groups;
}

/** A join without what it is found by, nor times of its own. */
const part =
  (by) =>
  ({ id, created_at, updated_at, last_seen, ...join }) => {
    const { [by]: _known, ...rest } = join;
    return rest;
  };
