// Webhooks for one ledger that come in at the same time: they share calls, and nobody pays for another.

import assert from "node:assert/strict";
import http from "node:http";
import { afterEach, beforeEach, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { agent, request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { inParallel } from "./support/senders.mjs";
import { headers } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

// Puts the way to the ledgers under control: how long a call takes, in milliseconds, or that it fails.
const CONTROLLED = `
import worker from "./index.js";
export { Connector, Ledger } from "./index.js";
let way = { ms: 0 };
let sizes = [];
const controlled = (ledgers) => ({
  idFromName: (name) => ledgers.idFromName(name),
  get: (id) => ({
    async call(calls) {
      const { ms, fails } = way;
      sizes.push(calls.length);
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (fails) throw new Error("the ledger is out of reach");
      return ledgers.get(id).call(calls);
    },
  }),
});
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/sizes") return Response.json(sizes.splice(0));
    if (pathname !== "/way") return worker.fetch(request, { ...env, LEDGER: controlled(env.LEDGER) }, ctx);
    way = await request.json();
    return new Response();
  },
  queue: (batch, env, ctx) => worker.queue(batch, env, ctx),
};
`;
const TOGETHER = 40;

let worker;
beforeEach(async () => {
  worker = await serve({
    adjust(options) {
      options.modules.unshift({ type: "ESModule", path: inRoot("build", "controlled.js"), contents: CONTROLLED });
    },
  });
});
afterEach(() => worker?.stop());

const way = (how) => request(`${worker.url}/way`, { method: "POST", body: JSON.stringify(how) });
const sizes = async () => (await request(`${worker.url}/sizes`)).json;
const body = (n) => diff("int_1", `lease_${n}`, {}, { of: n });
/** Webhooks all at once; gives the answers, with how long each took. */
const all = () =>
  inParallel(TOGETHER, TOGETHER, async (n, via) => {
    const since = performance.now();
    const { status, json } = await worker.post("propexo", body(n), { via });
    return { n, status, json, ms: performance.now() - since };
  });
const numbers = (answers) => answers.map(({ json }) => json.seq).sort((a, b) => a - b);
const upTo = (count) => Array.from({ length: count }, (_item, n) => n + 1);

test("one that meets no other goes alone, and waits for nobody", async () => {
  for (const n of upTo(3)) {
    assert.deepEqual((await worker.post("propexo", body(n))).json, { status: "accepted", seq: n });
  }
  assert.deepEqual(await sizes(), [1, 1, 1]);
});

test("under load they share calls, and each gets its own answer", async () => {
  await way({ ms: 150 });
  const answers = await all();
  assert.deepEqual(
    answers.map(({ status, json }) => [status, json.status]),
    Array(TOGETHER).fill([200, "accepted"]),
  );
  assert.deepEqual(numbers(answers), upTo(TOGETHER));
  const calls = await sizes();
  assert.equal(
    calls.reduce((sum, size) => sum + size),
    TOGETHER,
  );
  assert.ok(calls.length <= TOGETHER / 4, `${calls.length} calls: ${calls}`);
  // The number that was answered is that of the event that was sent.
  await way({ ms: 0 });
  for (const { n, json } of answers) {
    assert.equal((await worker.event("propexo", "int_1", json.seq)).body, body(n));
  }
  const again = await all();
  assert.deepEqual(
    again.map(({ json }) => json),
    answers.map(({ json }) => ({ status: "duplicate", seq: json.seq })),
  );
});

test("integrations don't wait for each other", async () => {
  await way({ ms: 150 });
  const answers = await inParallel(TOGETHER, TOGETHER, (n, via) =>
    worker.post("propexo", diff(`int_${n}`, "lease_1", {}, { n }), { via }),
  );
  assert.deepEqual(
    answers.map(({ json }) => json),
    Array(TOGETHER).fill({ status: "accepted", seq: 1 }),
  );
  assert.deepEqual(await sizes(), Array(TOGETHER).fill(1));
});

test("senders that hang up don't take the others' answers with them", async () => {
  await way({ ms: 300 });
  const gone = agent(TOGETHER);
  const hangUp = (n) => {
    const signed = { ...headers("propexo", body(n)), "content-length": Buffer.byteLength(body(n)) };
    const outgoing = http.request(`${worker.url}/webhooks/propexo`, { method: "POST", headers: signed, agent: gone });
    outgoing.on("error", () => {});
    outgoing.end(body(n));
    // With the call under way, which it may be the one to make.
    setTimeout(() => outgoing.destroy(), 100);
  };
  for (const n of upTo(TOGETHER)) hangUp(TOGETHER + n);
  const answers = await all();
  gone.destroy();
  for (const { n, status, ms } of answers) {
    assert.equal(status, 200, `${n}`);
    assert.ok(ms < 3_000, `${n} took ${ms} ms`);
  }
  assert.equal(new Set(numbers(answers)).size, TOGETHER);
  // And what stood in line is kept, although nobody waits for the answer.
  await until("all to be kept", async () => (await worker.state("propexo", "int_1")).last_seq === 2 * TOGETHER);
});

test("a call that fails is a 503 for all who shared it, and nothing is kept twice", async () => {
  await way({ ms: 100, fails: true });
  const refused = await all();
  assert.deepEqual(
    refused.map(({ status }) => status),
    Array(TOGETHER).fill(503),
  );
  await way({ ms: 0 });
  assert.deepEqual(numbers(await all()), upTo(TOGETHER));
  assert.deepEqual(numbers(await all()), upTo(TOGETHER));
});

test("a ledger that doesn't answer is a 503 in time, and holds up nobody once it does", async () => {
  await way({ ms: 60_000 });
  const refused = await all();
  for (const { n, status, ms } of refused) {
    assert.equal(status, 503, `${n}`);
    assert.ok(ms > 3_900 && ms < 5_900, `${n} took ${ms} ms`);
  }
  await way({ ms: 0 });
  const answers = await all();
  assert.deepEqual(numbers(answers), upTo(TOGETHER));
  for (const { n, ms } of answers) assert.ok(ms < 2_000, `${n} took ${ms} ms`);
});
