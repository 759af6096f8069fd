// The built Worker on workerd, with the settings of wrangler.toml: what is tested is what is shipped.

import { parse } from "./exposition.mjs";
import { newFolder, removeFolder } from "./folders.mjs";
import { built, host } from "./host.mjs";
import { request } from "./http.mjs";
import { inRoot } from "./paths.mjs";
import { headers, SECRETS } from "./sign.mjs";
import { until } from "./wait.mjs";

export const RECORDS_QUEUE = "leasewire-records";
export const DEAD_QUEUE = "leasewire-dead";

/**
 * Starts the Worker, with what `host` can be told besides:
 * - `folder`: where state is kept; by default a new one that goes away with the Worker.
 * - `queues`: settings of consumers by queue, in place of wrangler.toml's.
 */
export async function serve({ folder, queues, adjust, ...options } = {}) {
  const worker = new Leasewire(folder ?? newFolder(), folder === undefined);
  const hosted = await host({
    ...options,
    // Some tests put modules from elsewhere in the checkout in their place.
    code: { ...built(inRoot("build")), modulesRoot: inRoot() },
    folder: worker.folder,
    adjust(main) {
      for (const [name, consumer] of Object.entries(queues ?? {})) Object.assign(main.queueConsumers[name], consumer);
      adjust?.(main);
    },
    onLog: (line) => worker.log.push(line.message),
  });
  return Object.assign(worker, hosted);
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
