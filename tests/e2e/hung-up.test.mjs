// Senders that hang up, or take their time: anybody can send half a body, and it must not cost memory
// for good.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { inspect } from "../../bench/lib/inspector.mjs";
import { heapBytes, wasmBytes } from "../../bench/lib/memory.mjs";
import { diff } from "./support/bodies.mjs";
import { request } from "./support/http.mjs";
import { inRoot } from "./support/paths.mjs";
import { serving } from "./support/serving.mjs";
import { headers } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

const MIB = 1 << 20;

/** The Worker with a clock that can be put ahead. */
const CLOCK = `
import worker from "./index.js";
export { Ledger } from "./index.js";
const now = Date.now.bind(Date);
let ahead = 0;
Date.now = () => now() + ahead;
export default {
  ...worker,
  fetch(request, env, ctx) {
    const ms = request.headers.get("x-ahead-ms");
    if (ms === null) return worker.fetch(request, env, ctx);
    ahead += Number(ms);
    return new Response(String(ahead));
  },
};
`;

async function serve() {
  const worker = await serving({
    inspectorPort: 0,
    adjust(options) {
      options.modules.unshift({ type: "ESModule", path: inRoot("build", "clock.js"), contents: CLOCK });
      // Senders come to the Worker itself, without a router in between that hangs up on its own.
      options.unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
    },
  });
  worker.url = (await worker.mf.unsafeGetDirectURL("leasewire")).href.replace(/\/$/, "");
  worker.inspector = await inspect(worker);
  return worker;
}

/** Begins a webhook and gives its socket; the rest of the body never comes. */
function begin(worker, signature = "0".repeat(64)) {
  const { hostname, port } = new URL(worker.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  const head = [
    "POST /webhooks/propexo HTTP/1.1",
    `host: ${hostname}`,
    "content-length: 1000",
    `propexo-signature: ${signature}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n{"half":`);
  return new Promise((resolve) => socket.on("connect", () => resolve(socket)));
}

/** Begins `count` webhooks, and breaks each off by a reset once it has arrived. */
async function cut(worker, count) {
  const AT_ONCE = 200;
  for (let done = 0; done < count; done += AT_ONCE) {
    const sockets = await Promise.all(Array.from({ length: AT_ONCE }, () => begin(worker)));
    await sleep(50);
    for (const socket of sockets) socket.resetAndDestroy();
  }
  await sleep(200);
}

/** Lets that much time pass on the Worker's clock, and events come on either side of it. */
async function pass(worker, ms) {
  const health = () => request(`${worker.url}/healthz`);
  await health();
  await request(worker.url, { headers: { "x-ahead-ms": String(ms) } });
  assert.equal((await health()).status, 200);
}

async function memory({ inspector }) {
  await inspector.ask("HeapProfiler.collectGarbage");
  const wasm = (await wasmBytes(inspector)).reduce((sum, bytes) => sum + bytes, 0);
  return { wasm, heap: await heapBytes(inspector) };
}

const shown = ({ wasm, heap }) => `wasm ${(wasm / MIB).toFixed(1)} MiB, heap ${(heap / MIB).toFixed(1)} MiB`;

test("10,000 senders that hang up in mid-body leave no memory behind", async (t) => {
  const worker = await serve();
  const body = diff("int_1", "lease_1", { a: 1 }, { a: 2 });
  assert.equal((await worker.post("propexo", body)).status, 200);
  // The first thousand: what it takes to have as many at once, kept for the next ones.
  await cut(worker, 1_000);
  const during = await memory(worker);
  await pass(worker, 200_000);
  const before = await memory(worker);
  t.diagnostic(`with 1,000: ${shown(during)}; forgotten: ${shown(before)}`);
  for (let round = 0; round < 10; round += 1) {
    await cut(worker, 1_000);
    await pass(worker, 200_000);
  }
  const after = await memory(worker);
  t.diagnostic(`after 10,000 more: ${shown(after)}`);
  // Each of them held some kilobytes while it was there.
  assert.ok(after.wasm <= before.wasm + MIB / 2, `${shown(before)}; ${shown(after)}`);
  assert.ok(after.heap <= before.heap + MIB, `${shown(before)}; ${shown(after)}`);
  assert.equal((await worker.post("propexo", body)).json.status, "duplicate");
});

test("a request that can't be authentic is answered before its body has come", async () => {
  const worker = await serve();
  for (const signature of ["", "zz", "0".repeat(63), "0".repeat(65)]) {
    const socket = await begin(worker, signature);
    let answer = "";
    socket.on("data", (data) => (answer += data));
    await until("the refusal", () => /^HTTP\/1.1 401 /.test(answer), { ms: 5_000 });
    assert.match(answer, /www-authenticate: Signature/i);
    socket.destroy();
  }
});

test("a body that takes more than half a minute is refused, a slow one isn't", async () => {
  const worker = await serve();
  const silent = await begin(worker);
  let answer = "";
  silent.on("data", (data) => (answer += data));
  const since = performance.now();

  const body = diff("int_1", "lease_1", { a: 1 }, { a: 2 });
  const { hostname, port } = new URL(worker.url);
  const slow = connect(Number(port), hostname);
  let taken = "";
  slow.on("data", (data) => (taken += data));
  const lines = Object.entries({ ...headers("propexo", body), "content-length": body.length, host: hostname });
  slow.write(`POST /webhooks/propexo HTTP/1.1\r\n${lines.map((line) => line.join(": ")).join("\r\n")}\r\n\r\n`);
  for (const [n, part] of [body.slice(0, 10), body.slice(10, 20), body.slice(20)].entries()) {
    if (n) await sleep(5_000);
    slow.write(part);
  }
  await until("the slow one", () => taken.includes('"status":"accepted"'));

  await until("the refusal", () => answer.includes("urn:leasewire:problem:too-slow"), { ms: 40_000 });
  assert.match(answer, /^HTTP\/1.1 408 /);
  const seconds = (performance.now() - since) / 1_000;
  assert.ok(seconds > 28 && seconds < 35, `${seconds} s`);
  silent.destroy();
  slow.destroy();
});
