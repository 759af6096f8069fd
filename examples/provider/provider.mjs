// A pretend Propexo: a world that lives, syncs that notice, webhooks and an API that tell of it. Time, chance
// and the way to the gateway come from outside, so that a test can let a day pass in a moment.

import { Api } from "./api.mjs";
import { Cache } from "./cache.mjs";
import { Control } from "./control.mjs";
import { Faults } from "./faults.mjs";
import { Limit } from "./limits.mjs";
import { MODELS, VENDORS } from "./models.mjs";
import { DEFAULTS } from "./options.mjs";
import { Random } from "./random.mjs";
import { live, Syncs } from "./sync.mjs";
import { iso } from "./timeline.mjs";
import { everything, Webhooks } from "./webhooks.mjs";
import { System } from "./world.mjs";

/** The first syncs begin one after another, in this time. */
const STAGGER_MS = 10_000;

/**
 * Makes a provider, which begins with `timeline`.
 * - `options`: in place of the defaults, see options.mjs.
 * - `post`: sends a webhook, `(url, {headers, body})`; gives the status or throws.
 * - `say`: gets a line for what goes on.
 * - `clock`: the time of those who ask, for the limit; by default from `timeline`.
 * - `skip`: lets milliseconds pass; by default by `timeline`.
 */
export function provide({ timeline, options: given = {}, post, say = () => {}, clock, skip }) {
  const options = { ...DEFAULTS, ...given };
  const flags = { life: true, syncs: true, webhooks: true };
  const { began } = timeline;
  const end = options["quiet-after"] ? began + options["quiet-after"] * 1_000 * options.speed : Infinity;
  const stream = (name) => new Random(options.seed, name);
  const webhooks = new Webhooks({ timeline, random: stream("webhooks"), options, flags, post, say });
  if (!options["no-webhook"])
    webhooks.register(everything(`${options.gateway}/webhooks/${options.source}`, options.secret));
  const diffs = [];
  const integrations = VENDORS.slice(0, options.integrations).map((vendor, n) => {
    const about = integration(vendor, timeline.now);
    const system = new System({ random: stream(`${vendor} system`), units: options.units, now: timeline.now });
    const cache = new Cache(options);
    const random = stream(`${vendor} syncs`);
    const tell = (event) => webhooks.tell(event);
    const syncs = new Syncs({ integration: about, system, cache, timeline, random, options, flags, tell, diffs, say });
    timeline.after((n * STAGGER_MS) / VENDORS.length, () => syncs.start());
    const tellLife = (line) => options.tell && say(`${about.id}: ${line}`);
    live({ system, timeline, random: stream(`${vendor} life`), an_hour: options.changes, end, flags, say: tellLife });
    return { about, system, cache, syncs };
  });
  const faults = new Faults(stream("faults"), options);
  const api = new Api({
    ...{ timeline, integrations, diffs, webhooks, faults, options },
    limit: new Limit(options),
    clock: clock ?? (() => began + (timeline.now - began) / options.speed),
  });
  const pass = skip ?? ((ms) => timeline.runUntil(timeline.now + ms));
  const control = new Control({
    ...{ timeline, integrations, webhooks, api, faults, flags, options, end },
    skip: pass,
  });
  return { api, control, integrations, diffs, webhooks };
}

function integration(vendor, now) {
  const models = Object.keys(MODELS).map((model) => [model, { enabled: true, from_interfaces: [] }]);
  return {
    id: `int_${vendor.toLowerCase()}`,
    created_at: iso(now),
    updated_at: iso(now),
    name: `Pretend ${vendor}`,
    vendor,
    active: true,
    system: "SANDBOX",
    max_job_concurrency: 1,
    max_request_frequency: 1,
    max_request_cadence: "SECOND",
    base_url: null,
    is_archived: false,
    last_completed_sync: null,
    last_completed_back_sync: null,
    new_properties_are_enabled: true,
    integration_interfaces: [],
    models: Object.fromEntries(models),
    can_authenticate: true,
    last_data_access_check: null,
    configuration_meta_data: [],
  };
}
