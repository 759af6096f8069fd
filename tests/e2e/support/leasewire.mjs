// The built Worker on workerd, with the settings of wrangler.toml: what is tested is what is shipped.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

import { convertV4MiniflareOptions, Miniflare, NoOpLog } from "miniflare";

import { parse } from "./exposition.mjs";
import { newFolder, removeFolder } from "./folders.mjs";
import { request } from "./http.mjs";
import { inRoot } from "./paths.mjs";
import { headers, SECRETS } from "./sign.mjs";
import { until } from "./wait.mjs";

// wrangler would tell which files it reads.
process.env.WRANGLER_LOG = "error";
const { unstable_getMiniflareWorkerOptions: workerOptions, unstable_splitSqlQuery: statements } = await import(
  "wrangler"
);

export const RECORDS_QUEUE = "leasewire-records";
export const DEAD_QUEUE = "leasewire-dead";

function settings({ folder, bindings, queues, adjust, workers = [], inspectorPort }) {
  const { workerOptions: options } = workerOptions(inRoot("wrangler.toml"), undefined, {
    envFiles: [".dev.vars.example"],
  });
  const consumers = Object.entries(options.queueConsumers).map(([name, consumer]) => [
    name,
    { ...consumer, ...queues?.[name] },
  ]);
  const values = Object.entries({ ...options.bindings, ...SECRETS, ...bindings });
  const main = {
    ...options,
    name: "leasewire",
    modules: [
      { type: "ESModule", path: inRoot("build", "index.js") },
      { type: "CompiledWasm", path: inRoot("build", "index_bg.wasm") },
    ],
    bindings: Object.fromEntries(values.filter(([, value]) => value !== undefined)),
    queueConsumers: Object.fromEntries(consumers),
  };
  adjust?.(main);
  return { main, workers, folder, inspectorPort };
}

function start({ main, workers, folder, inspectorPort }, onLog) {
  const log = new NoOpLog();
  const options = convertV4MiniflareOptions({ workers: [main, ...workers], log, port: 0, inspectorPort });
  return new Miniflare({
    ...options,
    resourcePersistencePath: folder,
    handleStructuredLogs: onLog,
    log: new NoOpLog(),
  });
}

/** Children of this process that are workerd. */
const runtimes = () =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, command]) => Number(parent) === process.pid && command?.includes("workerd"))
    .map(([pid]) => Number(pid));

/**
 * Starts the Worker.
 * - `folder`: where state is kept; by default a new one that goes away with the Worker.
 * - `bindings`: in place of, or beside, those of wrangler.toml; undefined removes one.
 * - `queues`: settings of consumers by queue, in place of wrangler.toml's.
 * - `adjust`: changes Miniflare's options of the Worker.
 * - `workers`: further workers beside it.
 * - `inspectorPort`: where its isolate can be looked into; 0 for any.
 */
export async function serve(options = {}) {
  const folder = options.folder ?? newFolder();
  const worker = new Leasewire(folder, options.folder === undefined);
  const before = new Set(runtimes());
  worker.mf = start(settings({ ...options, folder }), (line) => worker.log.push(line.message));
  worker.url = (await worker.mf.ready).href.replace(/\/$/, "");
  worker.pid = runtimes().find((pid) => !before.has(pid));
  worker.db = await worker.mf.getD1Database("DB", "leasewire");
  await migrate(worker.db);
  return worker;
}

async function migrate(db) {
  const { results } = await db.prepare("SELECT name FROM sqlite_master WHERE name = 'records'").all();
  if (results.length) return;
  for (const name of readdirSync(inRoot("migrations")).sort()) {
    const sql = readFileSync(inRoot("migrations", name), "utf8");
    await db.batch(statements(sql).map((statement) => db.prepare(statement)));
  }
}

class Leasewire {
  /** What the Worker logged, line by line. */
  log = [];

  constructor(folder, temporary) {
    this.folder = folder;
    this.temporary = temporary;
  }

  /** Posts a webhook signed for `source`, whose dialect is by default of the same name. */
  post(source, body, { dialect = source, secret, timestamp, ...rest } = {}) {
    const signed = headers(dialect, body, { secret, timestamp });
    return request(`${this.url}/webhooks/${source}`, { method: "POST", headers: signed, body, ...rest });
  }

  /** Asks the API with its token. Each of `ids` becomes a segment of the path; an object, the query. */
  get(...ids) {
    const query = typeof ids.at(-1) === "object" ? `?${new URLSearchParams(ids.pop())}` : "";
    const path = ["", "v1", "integrations", ...ids.map(encodeURIComponent)].join("/");
    const headers = { authorization: `Bearer ${SECRETS.API_TOKEN}` };
    return request(this.url + path + query, { headers });
  }

  /** Calls the API with its token; `path` is what stands behind /v1/. */
  api(method, path, body) {
    const headers = { authorization: `Bearer ${SECRETS.API_TOKEN}` };
    return request(`${this.url}/v1/${path}`, { method, headers, body });
  }

  /** The samples of `GET /metrics`. */
  async metrics() {
    const headers = { authorization: `Bearer ${SECRETS.API_TOKEN}` };
    const answer = await request(`${this.url}/metrics`, { headers });
    if (answer.status !== 200) throw new Error(`the metrics: ${answer.text}`);
    return parse(answer.text);
  }

  /** Lets the cron trigger go off; gives what became of that. */
  async sweep() {
    const worker = await this.mf.getWorker("leasewire");
    return (await worker.scheduled({ cron: "*/15 * * * *" })).outcome;
  }

  /** The ledger's own state; null where there is no such integration. */
  async state(source, integration) {
    const answer = await this.get(source, integration);
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw new Error(`the state of ${source}/${integration}: ${answer.text}`);
    return answer.json;
  }

  /** Waits until all that was forwarded is confirmed, `through` at the least; gives the state. */
  confirmed(source, integration, through = 1, options) {
    let state;
    return until(
      () => `${source}/${integration} to be confirmed through ${through}; it was ${JSON.stringify(state)}`,
      async () => {
        state = await this.state(source, integration);
        return state?.confirmed_seq >= through && state.confirmed_seq === state.last_seq && state;
      },
      options,
    );
  }

  /** Asks for a replay, waits for its end and for all that it brings; gives the state. */
  async replay(source, integration, body) {
    const path = `integrations/${encodeURIComponent(source)}/${encodeURIComponent(integration)}/replay`;
    const asked = await this.api("POST", path, JSON.stringify(body));
    if (asked.status !== 202) throw new Error(`a replay of ${source}/${integration}: ${asked.text}`);
    const ended = await until("the replay to end", async () => {
      const state = await this.state(source, integration);
      return state.replay?.replay === asked.json.replay && state.replay.ended_at && state;
    });
    const { done } = ended.replay;
    if (done !== asked.json.count) throw new Error(`the replay looked at ${done} events, not ${asked.json.count}`);
    // What it sends again lies below what is confirmed.
    return until("what was replayed to be confirmed", async () => {
      const state = await this.confirmed(source, integration, ended.last_seq);
      return state.pending + state.unconfirmed === 0 && state;
    });
  }

  /** The whole history of an integration. */
  async events(source, integration) {
    const events = [];
    for (let after = 0; after !== null; ) {
      const answer = await this.get(source, integration, "events", { after, limit: 500 });
      if (answer.status !== 200) throw new Error(`events of ${source}/${integration}: ${answer.text}`);
      events.push(...answer.json.events);
      after = answer.json.next;
    }
    return events;
  }

  /** One event with its body and CloudEvent; `text` is the answer as it came. */
  async event(source, integration, seq) {
    const answer = await this.get(source, integration, "events", String(seq));
    if (answer.status !== 200) throw new Error(`event ${seq} of ${source}/${integration}: ${answer.text}`);
    return { ...answer.json, text: answer.text };
  }

  /** Rows of D1. */
  async rows(sql, ...params) {
    return (
      await this.db
        .prepare(sql)
        .bind(...params)
        .all()
    ).results;
  }

  /** All records of an integration in D1. */
  records(source, integration) {
    const sql = "SELECT * FROM records WHERE source = ? AND integration = ? ORDER BY model, record_id";
    return this.rows(sql, source, integration);
  }

  /** Stops it. */
  async stop() {
    await this.mf.dispose();
    if (this.temporary) removeFolder(this.folder);
  }

  /** Ends workerd as a crash would: nothing gets to say goodbye. */
  async kill() {
    process.kill(this.pid, "SIGKILL");
    // At once, or Miniflare would start workerd again.
    await this.stop();
  }
}
