// The load generator: a process of its own that does as little as can be for each request. The
// requests are made before the clock starts; each connection sends its next one when the last was
// answered.

import net from "node:net";

import { request } from "./bodies.mjs";

const END_OF_HEAD = "\r\n\r\n";

/**
 * Sends requests number `from` and up until `ms` have passed. `distinct` of them are made; with
 * `again` they are sent in turn for as long as it takes, else each once.
 * Gives how many were answered with `status` and `outcome`, and how long that took.
 */
async function run({ port, connections, from, ms = Infinity, distinct, again = false, status, outcome, ...spec }) {
  const cpuBefore = process.cpuUsage();
  const requests = Array.from({ length: distinct }, (_item, at) => request(from + at, { port, ...spec }));
  const prepared = process.cpuUsage(cpuBefore);
  const count = again ? Infinity : distinct;
  const expected = `HTTP/1.1 ${status}`;
  const latencies = [];
  let next = 0;
  let odd;

  const sockets = await Promise.all(
    Array.from({ length: connections }, () => new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(socket));
    })),
  );
  const cpuStart = process.cpuUsage();
  process.send({ started: true });
  const started = performance.now();
  const end = started + ms;
  await Promise.all(
    sockets.map((socket) => new Promise((resolve, reject) => {
      let sentAt;
      let text = "";
      const send = () => {
        if (next >= count || odd || performance.now() >= end) {
          socket.destroy();
          resolve();
          return;
        }
        sentAt = performance.now();
        socket.write(requests[next % distinct]);
        next += 1;
      };
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the connection was closed")));
      socket.on("data", (chunk) => {
        text += chunk.latin1Slice();
        if (!isWhole(text)) return;
        latencies.push(performance.now() - sentAt);
        if (!text.startsWith(expected) || (outcome && !text.includes(outcome))) odd ??= text;
        text = "";
        send();
      });
      send();
    })),
  );
  const elapsed_ms = performance.now() - started;
  const { user, system } = process.cpuUsage(cpuStart);
  if (odd) throw new Error(`an unexpected answer: ${odd}`);
  const done = latencies.length;
  const sorted = Float64Array.from(latencies).sort();
  return {
    done,
    elapsed_ms,
    ran_out: next >= count,
    p50_ms: sorted[Math.floor(done * 0.5)],
    p99_ms: sorted[Math.floor(done * 0.99)],
    generator_cpu_ms: (user + system) / 1000,
    preparing_cpu_ms: (prepared.user + prepared.system) / 1000,
  };
}

/** Whether an answer is all there. */
function isWhole(text) {
  const head = text.indexOf(END_OF_HEAD);
  if (head < 0) return false;
  const at = text.search(/\r\ncontent-length: /i);
  if (at >= 0 && at < head) {
    const length = Number.parseInt(text.slice(at + 18), 10);
    return text.length >= head + 4 + length;
  }
  return text.endsWith("\r\n0\r\n\r\n");
}

process.on("message", async (job) => {
  try {
    process.send({ result: await run(job) });
  } catch (error) {
    process.send({ error: error.message });
  }
});
