// Webhooks at a given pace, each answered as expected.

import http from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { webhook } from "./bodies.mjs";

/** A request with a connection of its own: one that is kept may be closed just when it's used again. */
async function answerTo({ port }, { body, signature }) {
  const headers = { "propexo-signature": signature, "content-length": Buffer.byteLength(body) };
  const incoming = await new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/webhooks/propexo", method: "POST", headers, agent: false };
    http.request(options, resolve).on("error", reject).end(body);
  });
  return { status: incoming.statusCode, body: await text(incoming) };
}

/** Sends the n-th webhook of `spec` and checks its answer: an outcome, or a status. */
export async function post(subject, n, { expected, ...spec }) {
  const answer = await answerTo(subject, webhook(n, { ...spec, wrong: expected === 401 }));
  if (answer.status !== expected && JSON.parse(answer.body).status !== expected) {
    throw new Error(`${subject.title}: ${expected} was expected, not ${answer.status} ${answer.body}`);
  }
}

/**
 * Sends a webhook after each pause that `pause_ms` gives, until there were `count` or `until` is over.
 * Gives how many were sent. A late timer doesn't slow the pace down.
 */
export async function send(
  subject,
  { from = 0, count = Infinity, until = Infinity, pause_ms, number = (at) => from + at, ...spec },
) {
  const answers = [];
  let due = Date.now();
  let sent = 0;
  while (sent < count) {
    due += pause_ms();
    if (due > until) break;
    await sleep(Math.max(0, due - Date.now()));
    const answer = post(subject, number(sent), spec);
    // Heard below; until then it's nobody's.
    answer.catch(() => {});
    answers.push(answer);
    sent += 1;
  }
  await Promise.all(answers);
  return sent;
}

export const every = (ms) => () => ms;

/** Pauses between events that know nothing of each other. */
export const atRandom = (ms) => () => -Math.log(1 - Math.random()) * ms;
