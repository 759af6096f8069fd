// Steady load: every provider goes on talking, whatever becomes of the gateway, and sends again what
// was not answered with 200.

import { setTimeout as sleep } from "node:timers/promises";

import { Provider } from "./providers.mjs";
import { Random } from "./random.mjs";

const INTEGRATIONS = {
  propexo: ["int_1", "int_2", "int_3"],
  propify: ["int_1", "int_2"],
  meterbase: ["con_1", "con_2", "con_3"],
  "real-estate": ["default"],
};

/** A minute of a provider's takes this long. */
const MINUTE_MS = 100;
/** The longest pause: the providers' last ones would outlast the run. */
const PAUSE_MS_MAX = 3_000;

/**
 * Minutes between attempts, as each provider has them. Where they would give up, the last pause goes
 * on: so every delivery is to end in a 200, and none is excused.
 */
const PAUSES = {
  propexo: [15],
  propify: [15],
  meterbase: [1, 5, 30, 120, 1_440],
  "real-estate": [5, 30, 120, 300, 600],
};

/** A provider takes an answer that comes later for none. */
const ANSWER_MS_MAX = 5_000;

// Chances in a thousand.
const HANGS_UP = 20; // before the answer can have come
const BREAKS_OFF = 20; // in mid-body, with a reset
const TWICE_AT_ONCE = 20;
const AGAIN = 40; // although it was answered
const DELAYED = 100;
const DELAY_MS_MAX = 2_000;

export class Load {
  /** Everything that was said, in the order in which it was. */
  facts = [];
  requests = 0;
  retries = 0;
  broken = 0;
  #senders = [];
  #open = new Set();
  #ended = false;

  constructor({ gateway, seed, rate }) {
    this.gateway = gateway;
    this.random = new Random(seed, "load");
    this.mean_ms = 1_000 / rate;
    for (const [dialect, integrations] of Object.entries(INTEGRATIONS)) {
      for (const integration of integrations) {
        for (const waits of [true, false]) {
          const random = new Random(seed, `${dialect} ${integration} ${waits}`);
          const provider = new Provider({ dialect, integration, waits, random });
          this.#senders.push({ provider, random, waits, busy: Promise.resolve() });
        }
      }
    }
  }

  /** Talks until it is ended. */
  async run() {
    let next = performance.now();
    while (!this.#ended) {
      next += this.random.pause(this.mean_ms);
      await sleep(Math.max(0, next - performance.now()));
      this.#say(this.random.pick(this.#senders));
    }
  }

  /** Nothing new is said; what was said is sent to its end, for `ms` at the most. */
  async end(ms) {
    this.#ended = true;
    const end = performance.now() + ms;
    while (this.#open.size && performance.now() < end) await sleep(50);
    this.#open.clear();
  }

  get answered() {
    return this.facts.filter((fact) => fact.answers.length > 0).length;
  }

  #say(sender) {
    const fact = sender.provider.next();
    // Nothing says that a retry is signed again, and nothing that it is not.
    if (fact.dialect === "real-estate" && sender.random.chance(500)) {
      fact.timestamp = String(Math.floor(Date.now() / 1_000));
    }
    this.facts.push(fact);
    this.#open.add(fact);
    if (sender.waits) sender.busy = sender.busy.then(() => this.#deliver(fact, sender));
    else this.#deliver(fact, sender);
  }

  async #deliver(fact, { random, waits }) {
    if (!waits && random.chance(DELAYED)) await sleep(random.below(DELAY_MS_MAX));
    const pauses = PAUSES[fact.dialect];
    for (let attempt = 0; this.#open.has(fact); attempt += 1) {
      if (attempt) this.retries += 1;
      const copies = random.chance(TWICE_AT_ONCE) ? 2 : 1;
      await Promise.all(Array.from({ length: copies }, () => this.#attempt(fact, random, waits)));
      if (fact.answers.length) break;
      const minutes = pauses[Math.min(attempt, pauses.length - 1)];
      await sleep(Math.min(minutes * MINUTE_MS, PAUSE_MS_MAX) + random.below(50));
    }
    if (fact.answers.length && random.chance(AGAIN)) {
      if (!waits) await sleep(random.below(DELAY_MS_MAX));
      await this.#attempt(fact, random, true);
    }
    this.#open.delete(fact);
  }

  /**
   * One request. A sender that `waits` stays for the answer: if it hung up and the request were still
   * taken in after its next one, the same bytes could be a second event indeed.
   */
  async #attempt(fact, random, waits) {
    const hangsUp = !waits && random.chance(HANGS_UP);
    if (!this.gateway.isUp) return;
    if (random.chance(BREAKS_OFF)) {
      this.broken += 1;
      await this.gateway.breakOff(fact, { timestamp: fact.timestamp });
      return;
    }
    const sent = performance.now();
    fact.sent ??= sent;
    this.requests += 1;
    const ms = hangsUp ? 1 + random.below(10) : ANSWER_MS_MAX;
    const answer = await this.gateway.post(fact, { ms, timestamp: fact.timestamp }).catch(() => undefined);
    if (!answer) fact.abandoned += 1;
    else if (answer.status !== 200) fact.refusals.push(answer.status);
    else fact.answers.push({ ...answer.json, sent, answered: performance.now() });
  }
}
