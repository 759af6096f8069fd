// What tests do to the provider, and what they compare with: beside the API, under /_provider/, without a
// key, and never counted by the limit.

import { page } from "./query.mjs";
import { iso } from "./timeline.mjs";

/** Fields of a model that `change` gives other values. */
const CHANGED = {
  properties: (record, n) => ({ notes: `note ${n} of ${record.name}` }),
  units: (_, n) => ({ rent_amount_market_in_cents: 100_000 + n }),
  leases: (_, n) => ({ rent_amount_in_cents: 100_000 + n }),
  residents: (_, n) => ({ phone_2: `+1 555 ${n}` }),
  fees: (_, n) => ({ amount_in_cents: 1_000 + n }),
};

const SETTABLE = [
  "lose",
  "repeat",
  "reorder",
  "limit",
  "others",
  "fail-jobs",
  "fail-property",
  "fail-answers",
  "read-lag",
  "new-lag",
  "no-admin",
];

export class Control {
  #changes = 0;

  /** - `skip`: lets so many milliseconds of the provider's time pass. */
  constructor({ timeline, integrations, webhooks, api, faults, flags, options, end, skip }) {
    Object.assign(this, { timeline, integrations, webhooks, api, faults, flags, options, end, skip });
  }

  /** All records of a model as the API shows them sooner or later: neither late nor hidden. */
  truth(model) {
    return this.api.records(model, true);
  }

  /** True once nothing happens any more, and a whole sync of each integration has seen all that did. */
  get isQuiet() {
    const since = Math.min(this.end, this.flags.life ? Infinity : this.flags.stopped);
    return this.integrations.every(({ syncs }) => syncs.whole > since) && this.timeline.now > since;
  }

  state() {
    const { timeline, webhooks, api, integrations, flags } = this;
    return {
      now: iso(timeline.now),
      is_quiet: this.isQuiet,
      switches: { life: flags.life, syncs: flags.syncs, webhooks: flags.webhooks },
      webhooks: { ...webhooks.counts, waiting: webhooks.waiting, withheld: { ...webhooks.withheld } },
      requests: api.requests,
      integrations: integrations.map(({ about, syncs }) => ({ id: about.id, is_running_sync: syncs.isRunning })),
    };
  }

  /** Answers of this `kind`, see faults.mjs. */
  break(fault) {
    this.faults.add(fault);
  }

  mend() {
    this.faults.clear();
  }

  /** What callers must send from now on; null refuses everyone. */
  key(key) {
    this.options.key = key;
  }

  /** Starts a sync of one integration, or of all; false for those where one is running. */
  sync({ integration, back = false } = {}) {
    const wanted = this.integrations.filter(({ about }) => !integration || about.id === integration);
    return wanted.map(({ syncs }) => syncs.begin(back));
  }

  /** Switches `life`, `syncs` and `webhooks` on or off. */
  switch(flags) {
    if (flags.life === false && this.flags.life) this.flags.stopped = this.timeline.now;
    Object.assign(this.flags, flags);
  }

  /** Sets options that can change while it runs. */
  set(options) {
    const wrong = Object.keys(options).filter((name) => !SETTABLE.includes(name));
    if (wrong.length) throw new Error(`can't be set: ${wrong.join(", ")}`);
    Object.assign(this.options, options);
  }

  /** Changes up to `count` records of a model in each integration, for the next sync to see; gives how many. */
  change({ model, count = Infinity }) {
    if (!(model in CHANGED)) throw new Error(`model is one of ${Object.keys(CHANGED).join(", ")}`);
    let done = 0;
    for (const { system } of this.integrations) {
      for (const record of system.all(model).slice(0, count)) {
        this.#changes += 1;
        Object.assign(record, CHANGED[model](record, this.#changes));
        done += 1;
      }
    }
    return done;
  }

  /**
   * Lets up to `count` records of a model leave each integration, or those of one property there: no sync sees
   * them any more. Gives their ids.
   */
  leave({ model, count = 1, property }) {
    const ids = [];
    for (const { system } of this.integrations) {
      const there = system.all(model).filter(({ id }) => !system.left.has(id));
      const leaving = there.filter(({ property_id }) => !property || property_id === property).slice(0, count);
      for (const { id } of leaving) system.left.add(id);
      ids.push(...leaving.map(({ id }) => id));
    }
    return ids;
  }

  /** Lets records come back that have left. */
  return({ ids }) {
    for (const { system } of this.integrations) for (const id of ids) system.left.delete(id);
  }

  /** Answers a request below /_provider/: `{status, body}`. */
  answer({ method, path, body }) {
    const { pathname, searchParams } = new URL(path, "http://provider");
    const name = pathname.slice("/_provider/".length);
    try {
      if (method === "GET" && name === "state") return { status: 200, body: this.state() };
      if (method === "GET" && name === "truth") {
        const all = this.truth(searchParams.get("model"));
        const query = { filters: [], offset: 0, limit: all.length, orderBy: [{ field: "id", direction: "asc" }] };
        return { status: 200, body: page(all, query) };
      }
      const asked = body ? JSON.parse(body) : {};
      if (method === "POST" && name in POSTS)
        return { status: 200, body: { result: POSTS[name](this, asked) ?? null } };
      return { status: 404, body: { error: { code: "not_found", message: "not found" } } };
    } catch (error) {
      return { status: 400, body: { error: { code: "invalid_request", message: error.message } } };
    }
  }
}

const POSTS = {
  break: (control, fault) => control.break(fault),
  mend: (control) => control.mend(),
  key: (control, { key }) => control.key(key),
  sync: (control, asked) => control.sync(asked),
  switch: (control, flags) => control.switch(flags),
  set: (control, options) => control.set(options),
  change: (control, asked) => control.change(asked),
  leave: (control, asked) => control.leave(asked),
  return: (control, asked) => control.return(asked),
  skip: (control, { seconds }) => control.skip(seconds * 1_000),
};
