// The load generator: a process of its own that does as little as can be for each request. The
// requests are made before the clock starts; each connection sends its next one when the last was
// answered, or when it is due.

import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { request } from "./bodies.mjs";
import { quantile } from "./numbers.mjs";

const END_OF_HEAD = "\r\n\r\n";

/**
 * Sends requests number `from` and up until `ms` have passed. `distinct` of them are made; with
 * `again` they are sent in turn for as long as it takes, else each once. With `per_s`, so many are due
 * in a second, and one that finds every connection busy is late from then on.
 * Gives how many were answered with `status` and `outcome`, and how long that took. `lists` gives all
 * times too.
 */
async function run(job) {
  const { port, connections, from, ms = Infinity, distinct, again = false, per_s, status, outcome, lists, ...spec } = job;
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
      const send = async () => {
        if (next >= count || odd || performance.now() >= end) {
          socket.destroy();
          resolve();
          return;
        }
        const number = next;
        next += 1;
        sentAt = performance.now();
        if (per_s) {
          const due = started + (number / per_s) * 1000;
          if (due > sentAt) await sleep(due - sentAt);
          sentAt = due;
        }
        socket.write(requests[number % distinct]);
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
  return {
    done: latencies.length,
    elapsed_ms,
    // Comparable with the same in other processes.
    ended_at: performance.timeOrigin + started + elapsed_ms,
    ran_out: next >= count,
    p50_ms: quantile(latencies, 0.5),
    p99_ms: quantile(latencies, 0.99),
    ...(lists && { latencies }),
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
