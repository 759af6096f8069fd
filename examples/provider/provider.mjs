// A pretend Propexo: a world that lives, syncs that notice, webhooks and an API that tell of it. Time, chance
// and the way to the gateway come from outside, so that a test can let a day pass in a moment.

import { Api } from "./api.mjs";
import { Cache } from "./cache.mjs";
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
 */
export function provide({ timeline, options: given = {}, post, say = () => {} }) {
  const options = { ...DEFAULTS, ...given };
  const stream = (name) => new Random(options.seed, name);
  const webhooks = new Webhooks({ timeline, random: stream("webhooks"), options, post, say });
  webhooks.register(everything(`${options.gateway}/webhooks/${options.source}`, options.secret));
  const diffs = [];
  const integrations = VENDORS.slice(0, options.integrations).map((vendor, n) => {
    const about = integration(vendor, timeline.now);
    const system = new System({ random: stream(`${vendor} system`), units: options.units, now: timeline.now });
    const cache = new Cache(options["read-lag"] * 1_000 * options.speed);
    const random = stream(`${vendor} syncs`);
    const tell = (event) => webhooks.tell(event);
    const syncs = new Syncs({ integration: about, system, cache, timeline, random, options, tell, diffs, say });
    timeline.after((n * STAGGER_MS) / VENDORS.length, () => syncs.start());
    const end = options["quiet-after"] ? timeline.now + options["quiet-after"] * 1_000 * options.speed : Infinity;
    const tellLife = (line) => say(`${about.id}: ${line}`);
    live({ system, timeline, random: stream(`${vendor} life`), an_hour: options.changes, end, say: tellLife });
    return { about, system, cache, syncs };
  });
  const api = new Api({ timeline, integrations, diffs, webhooks, limit: new Limit(options.limit), options });
  return { api, integrations, diffs, webhooks };
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
