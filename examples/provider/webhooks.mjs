// Webhooks: who wants which, how they are signed and shaped, and how they are sent, again where the answer
// isn't a 2xx.

import { createHmac } from "node:crypto";

import { WEBHOOK } from "./models.mjs";
import { iso } from "./timeline.mjs";

/** As Propexo documents it. */
const RETRIES = 10;
const RETRY_MS = 15 * 60_000;

/** What is late or comes once more, does so within this time. */
const STRAY_MS = 60_000;

/** The body of a webhook, in one of the envelopes that Propexo documents. */
export function body(event, envelope) {
  const { trigger, model, property_id, object, record_id, ...rest } = event;
  if (!model) return { event: trigger, ...rest };
  const { payload, diff, ...about } = rest;
  const meta = { object, integration_id: about.integration_id };
  const change = payload ? { payload } : { diff };
  if (envelope === "short") return { meta, record_id, ...change };
  const data = { ...about, event: trigger, record_id, object, ...change, context: { property_id } };
  return envelope === "flat" ? { ...data, meta } : { trigger, data, meta };
}

export const sign = (secret, text) => createHmac("sha256", secret).update(text).digest("hex");

export class Webhooks {
  /** Those that are registered. */
  hooks = [];

  /** How many were made, of which so many of records weren't lost; and how many were lost, repeated, held back, tried, delivered and given up; and answers by their status. */
  counts = {
    made: 0,
    sent_records: 0,
    lost: 0,
    repeated: 0,
    reordered: 0,
    tried: 0,
    delivered: 0,
    retried: 0,
    given_up: 0,
    answers: {},
  };

  /** How many of records weren't made while webhooks were switched off, by model and trigger. */
  withheld = {};

  /** How many are still to be tried. */
  waiting = 0;

  #lines = new Map();

  /** By address, what it answered last. */
  #last = new Map();

  /** - `post`: sends `(url, {headers, body})`, gives the status or throws. */
  constructor({ timeline, random, options, flags, post, say }) {
    Object.assign(this, { timeline, random, options, flags, post, say });
  }

  /** Changes one to what `PUT /v1/webhooks/{id}` takes; gives it as the API shows it. */
  change(hook, { url, headers = [], triggers, model = null, secret, active = false }) {
    const told = triggers.map((trigger) => ({ id: this.random.id("trigger"), trigger, model }));
    const known = { secret: secret ?? hook.secret, updated_at: iso(this.timeline.now) };
    return Object.assign(hook, { url, headers, active, triggers: told, ...known });
  }

  /** Registers a webhook, with what `POST /v1/webhooks/` takes; gives it as the API shows it. */
  register({ url, headers = [], triggers, model = null, secret, active = false }) {
    const { random, timeline } = this;
    const at = iso(timeline.now);
    const hook = {
      id: random.id("webhook"),
      created_at: at,
      updated_at: at,
      url,
      headers,
      active,
      secret: secret ?? random.id("secret"),
      system: "SANDBOX",
      triggers: triggers.map((trigger) => ({ id: random.id("trigger"), trigger, model })),
    };
    this.hooks.push(hook);
    return hook;
  }

  /** Sends an event to everyone who wants it. */
  tell(event) {
    const hooks = this.hooks.filter((hook) => hook.active && wants(hook, event));
    if (this.flags.webhooks) for (const hook of hooks) this.#send(hook, event);
    else if (event.model) this.#withhold(event, hooks.length);
  }

  #withhold({ model, trigger }, count) {
    const name = `${model} ${trigger}`;
    this.withheld[name] = (this.withheld[name] ?? 0) + count;
  }

  #send(hook, event) {
    const { counts, options, random } = this;
    const text = JSON.stringify(body(event, options.envelope));
    const delivery = { hook, text, line: `${hook.id} ${event.integration_id}`, tries: 0 };
    // Drawn in any case, so that the same is drawn for the next one.
    const [isLost, isLate, isTwice] = ["lose", "reorder", "repeat"].map((name) => random.chance(options[name]));
    const [late_ms, twice_ms] = [random.below(STRAY_MS), random.below(STRAY_MS)];
    counts.made += 1;
    if (isLost) {
      counts.lost += 1;
      return;
    }
    this.waiting += isTwice ? 2 : 1;
    if (event.model) counts.sent_records += 1;
    if (isLate) {
      counts.reordered += 1;
      this.timeline.after(late_ms, () => this.#queue(delivery));
    } else {
      this.#queue(delivery);
    }
    if (isTwice) {
      counts.repeated += 1;
      this.timeline.after(twice_ms, () => this.#queue({ ...delivery }));
    }
  }

  /** The first try of one waits for that of the one before, so that order is lost only when asked for. */
  async #queue(delivery) {
    const line = this.#lines.get(delivery.line);
    if (line) {
      line.push(delivery);
      return;
    }
    const waiting = [delivery];
    this.#lines.set(delivery.line, waiting);
    for (let next = waiting.shift(); next; next = waiting.shift()) await this.#try(next);
    this.#lines.delete(delivery.line);
  }

  async #try(delivery) {
    const { hook, text } = delivery;
    const headers = Object.fromEntries(hook.headers.map(({ header, value }) => [header, value]));
    Object.assign(headers, { "content-type": "application/json", "propexo-signature": sign(hook.secret, text) });
    const answer = await this.post(hook.url, { headers, body: text }).catch((error) => error);
    this.#answered(delivery, answer instanceof Error ? (answer.cause?.code ?? answer.code ?? answer.name) : answer);
  }

  #answered(delivery, answer) {
    const { counts, timeline } = this;
    const { hook } = delivery;
    delivery.tries += 1;
    counts.tried += 1;
    counts.answers[answer] = (counts.answers[answer] ?? 0) + 1;
    // Only what changes is said.
    if (answer !== this.#last.get(hook.url)) this.say(`${hook.url} answers ${answer}`);
    this.#last.set(hook.url, answer);
    if (answer >= 200 && answer < 300) {
      counts.delivered += 1;
      this.waiting -= 1;
    } else if (delivery.tries > RETRIES) {
      counts.given_up += 1;
      this.waiting -= 1;
    } else {
      counts.retried += 1;
      timeline.after(RETRY_MS, () => this.#try(delivery));
    }
  }
}

const wants = (hook, { trigger, model }) =>
  hook.triggers.some((wanted) => wanted.trigger === trigger && (!wanted.model || !model || wanted.model === model));

/** The webhook that there is from the beginning. */
export const everything = (url, secret) => ({ url, secret, active: true, triggers: WEBHOOK.triggers });
