// Senders that take their time: anybody can send half a body, and it must not be waited for without end.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { inspect } from "../../bench/lib/inspector.mjs";
import { heapBytes, wasmBytes } from "../../bench/lib/memory.mjs";
import { diff } from "./support/bodies.mjs";
import { serving } from "./support/serving.mjs";
import { headers } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

async function serve(options = {}) {
  const worker = await serving({
    ...options,
    adjust(options) {
      // Senders come to the Worker itself, without a router in between that hangs up on its own.
      options.unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
    },
  });
  worker.url = (await worker.mf.unsafeGetDirectURL("leasewire")).href.replace(/\/$/, "");
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

// Most of their time is waited.
describe("hung up", { concurrency: true }, () => {
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

  test("senders that are cut off leave nothing behind", async () => {
    const worker = await serve({ inspectorPort: 0 });
    const inspector = await inspect(worker);
    const body = diff("int_1", "lease_1", { a: 1 }, { a: 2, b: "x".repeat(2_000) });
    const { hostname, port } = new URL(worker.url);
    const lines = Object.entries({ ...headers("propexo", body), "content-length": body.length, host: hostname });
    const head = `POST /webhooks/propexo HTTP/1.1\r\n${lines.map((line) => line.join(": ")).join("\r\n")}\r\n\r\n`;
    /** Sends the head and half of the body, and resets the connection. */
    const cut = () =>
      new Promise((resolve) => {
        const socket = connect(Number(port), hostname);
        socket.on("error", () => {});
        socket.on("close", resolve);
        socket.write(head + body.slice(0, 1_000), () => setTimeout(() => socket.resetAndDestroy(), 5));
      });
    /** Bytes of the isolate, once a webhook has come after the cut ones were given up. */
    const bytes = async (n) => {
      const answer = await worker.post("propexo", diff("int_1", "lease_2", { a: n }, { a: n + 1 }));
      assert.equal(answer.status, 200);
      await inspector.ask("HeapProfiler.enable");
      await inspector.ask("HeapProfiler.collectGarbage");
      const [wasm] = await wasmBytes(inspector);
      return { wasm, heap: await heapBytes(inspector) };
    };
    const round = async (n) => {
      for (let sent = 0; sent < 2_000; sent += 50) await Promise.all(Array.from({ length: 50 }, cut));
      // The isolate looks for lost requests at most every 5 s, and gives up those that were there 45 s ago.
      await sleep(5_500);
      const full = await bytes(2 * n);
      await sleep(47_000);
      return { full, after: await bytes(2 * n + 1) };
    };
    const first = await round(1);
    // They do wait until then: else this would show nothing.
    assert.ok(first.full.wasm > 2 * 2 ** 20, `${first.full.wasm} bytes of wasm`);
    const second = await round(2);
    // Memory of a wasm instance doesn't shrink; it is used again.
    const grown = second.after.wasm - first.after.wasm;
    assert.ok(grown < 2 ** 20, `${grown} bytes more`);
    inspector.close();
  });
});
