// A pretend provider and a gateway that asks it, started together.

import assert from "node:assert/strict";

import { startProvider } from "../../../examples/provider/server.mjs";
import { newFolder, removeFolder } from "./folders.mjs";
import { serve } from "./leasewire.mjs";
import { freePort } from "./processes.mjs";
import { SECRETS } from "./sign.mjs";
import { until } from "./wait.mjs";

export const KEY = "a key for tests";
export const MODELS = ["properties", "units", "leases", "residents"];
export const MS_MAX = 240_000;

/**
 * A provider and a gateway that asks it; `options` are the provider's, `api` settings of the source's, `adjust`
 * changes the gateway.
 */
export class Pair {
  folder = newFolder();

  async start({ api, adjust, ...options }) {
    this.adjust = adjust;
    this.port = await freePort();
    this.api = { kind: "propexo", url: `http://127.0.0.1:${this.port}`, key: "PROPEXO_API_KEY", ...api };
    await this.serve();
    this.provider = await startProvider({
      ...{ port: this.port, gateway: this.worker.url, secret: SECRETS.PROPEXO_SECRET, key: KEY },
      ...{ seed: 7, speed: 300, integrations: 1, units: 30, limit: 6_000, ...options },
    });
    this.integrations = this.provider.control.state().integrations.map(({ id }) => id);
    return this;
  }

  async serve() {
    const propexo = { dialect: "propexo", secret: "PROPEXO_SECRET", api: this.api };
    const bindings = { SOURCES: { propexo }, PROPEXO_API_KEY: KEY };
    this.worker = await serve({ folder: this.folder, bindings, adjust: this.adjust });
  }

  async stop() {
    await this.provider?.stop();
    await this.worker.stop();
    removeFolder(this.folder);
  }

  /** How the connector stands. */
  async connector(integration = this.integrations[0]) {
    const answer = await this.worker.get("propexo", integration, "connector");
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  /** Waits until nothing changes any more at the provider, and all webhooks are sent. */
  async quiet() {
    const { control } = this.provider;
    await until("the provider to be quiet", () => control.isQuiet, { ms: MS_MAX });
    await until("the syncs to end", () => !control.state().integrations.some((one) => one.is_running_sync), {
      ms: MS_MAX,
    });
    control.switch({ syncs: false });
    await until("the webhooks to be sent", () => control.state().webhooks.waiting === 0, { ms: MS_MAX });
  }

  /** Waits until nothing is owed; gives how the connector stands. */
  async settled(integration = this.integrations[0]) {
    let last;
    const isSettled = async () => {
      last = await this.connector(integration);
      const { records, after_sync, unfetchable, failed } = last.owed;
      return records + after_sync + unfetchable + failed === 0 && last;
    };
    return until(() => `nothing to be owed: ${JSON.stringify(last?.owed)}`, isSettled, { ms: MS_MAX, pause_ms: 200 });
  }

  /** Waits for so many events of the gateway's. */
  async heard(count, integration = this.integrations[0]) {
    const enough = async () => (await this.worker.state("propexo", integration))?.last_seq >= count;
    await until(`${count} events`, enough, { ms: MS_MAX });
  }

  /** Waits until each record in D1 is the provider's: all that differs, of the first that do, if it isn't. */
  async converged(integration = this.integrations[0]) {
    let wrong;
    const isSame = async () => {
      wrong = await this.differences(integration);
      return wrong.length === 0;
    };
    await until(() => `D1 to be as the provider: ${JSON.stringify(wrong?.slice(0, 5))}`, isSame, {
      ms: MS_MAX,
      pause_ms: 500,
    });
  }

  async differences(integration) {
    const rows = await this.worker.records("propexo", integration);
    const known = new Map(rows.map((row) => [`${row.model}/${row.record_id}`, row]));
    const wrong = [];
    for (const model of MODELS) {
      const truth = this.provider.control.truth(model);
      for (const record of truth.filter((record) => record.integration_id === integration)) {
        const row = known.get(`${model}/${record.id}`);
        const why = row ? difference(record, row) : "not there";
        if (why) wrong.push(`${model}/${record.id}: ${why}`);
      }
    }
    return wrong;
  }
}

/** How a row of D1 isn't the provider's record; when that was seen last says nothing of it. */
function difference({ last_seen: _, ...record }, row) {
  if (row.partial || row.drift) return `partial ${row.partial}, drift ${row.drift}`;
  const fields = JSON.parse(row.fields);
  const name = Object.keys(record).find((name) => JSON.stringify(record[name]) !== JSON.stringify(fields[name]));
  return name && `${name} is ${JSON.stringify(fields[name])}, not ${JSON.stringify(record[name])}`;
}
