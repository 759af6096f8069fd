// The gateway, killed and started again on the state it kept.

import { connect } from "node:net";

import { agent } from "../e2e/support/http.mjs";
import { serve } from "../e2e/support/leasewire.mjs";
import { headers } from "../e2e/support/sign.mjs";

const CONNECTIONS = 64;

/** What the consumer writes. */
const WRITES = ["INSERT", "UPDATE"].flatMap((verb) =>
  ["records", "integrations", "notices"].map((table) => [verb, table]),
);

export class Gateway {
  /** For each start, how long it took to the first 200 of a webhook; undefined if there was none. */
  starts_ms = [];
  /** What it logged as an error or a warning, over all its lives. */
  log = [];
  #worker;
  #via;
  #startedAt;
  #asked = Promise.withResolvers();

  constructor(folder) {
    this.folder = folder;
  }

  async start() {
    this.#startedAt = performance.now();
    const worker = await serve({ folder: this.folder });
    this.#via = agent(CONNECTIONS);
    this.starts_ms.push(undefined);
    this.#worker = worker;
    return worker;
  }

  get isUp() {
    return this.#worker !== undefined;
  }

  /** Posts a fact, signed as its dialect does. */
  async post({ dialect, body }, { ms, timestamp }) {
    const asked = this.#worker.post(dialect, body, { via: this.#via, ms, timestamp });
    this.#asked.resolve();
    this.#asked = Promise.withResolvers();
    const worker = this.#worker;
    const answer = await asked;
    if (worker === this.#worker && answer.status === 200) {
      this.starts_ms[this.starts_ms.length - 1] ??= performance.now() - this.#startedAt;
    }
    return answer;
  }

  /** Posts half of a fact and resets the connection. */
  async breakOff({ dialect, body }, { timestamp }) {
    const { hostname, port } = new URL(this.#worker.url);
    const bytes = Buffer.from(body);
    const lines = Object.entries({
      host: hostname,
      "content-length": bytes.length,
      ...headers(dialect, body, { timestamp }),
    }).map((line) => line.join(": "));
    const socket = connect(Number(port), hostname);
    const closed = new Promise((resolve) => socket.on("close", resolve));
    // It may have been killed meanwhile.
    socket.on("error", () => {});
    socket.write(`POST /webhooks/${dialect} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    socket.write(bytes.subarray(0, bytes.length >> 1), () => socket.resetAndDestroy());
    await closed;
  }

  /**
   * Makes D1 fail with `text` from now on, whatever is killed meanwhile; with none it works. Only what
   * applies packs is concerned.
   */
  async trouble(text) {
    const { db } = this.#worker;
    for (const [verb, table] of WRITES) {
      const name = `trouble_${verb}_${table}`;
      const trigger = `CREATE TRIGGER IF NOT EXISTS ${name} BEFORE ${verb} ON ${table} BEGIN
        SELECT RAISE(ABORT, '${text}'); END`;
      await db.prepare(text ? trigger : `DROP TRIGGER IF EXISTS ${name}`).run();
    }
  }

  /** Until the next webhook is on its way. */
  get asked() {
    return this.#asked.promise;
  }

  kill() {
    return this.#end("kill");
  }

  stop() {
    return this.#end("stop");
  }

  async #end(how) {
    const worker = this.#worker;
    if (!worker) return;
    this.#worker = undefined;
    await worker[how]();
    this.#via.destroy();
    this.log.push(...worker.log.filter((line) => /"level":"(warn|error)"/.test(line)));
  }
}
