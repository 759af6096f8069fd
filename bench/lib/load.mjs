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
  const { port, connections, from, ms, distinct, again = false, per_s, status, outcome, lists, ...spec } = job;
  const cpuBefore = process.cpuUsage();
  const requests = Array.from({ length: distinct }, (_item, at) => request(from + at, { port, ...spec }));
  const prepared = process.cpuUsage(cpuBefore);
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(port)));

  const cpuStart = process.cpuUsage();
  process.send({ started: true });
  const schedule = new Schedule({ count: again ? Infinity : distinct, ms, per_s });
  const expected = `HTTP/1.1 ${status}`;
  const latencies = [];
  let odd;
  const heard = (text, latency_ms) => {
    latencies.push(latency_ms);
    if (text.startsWith(expected) && (!outcome || text.includes(outcome))) return;
    odd ??= text;
    schedule.stop();
  };
  await Promise.all(sockets.map((socket) => talk(socket, schedule, requests, heard)));
  const elapsed_ms = performance.now() - schedule.started;
  const { user, system } = process.cpuUsage(cpuStart);
  if (odd) throw new Error(`an unexpected answer: ${odd}`);
  return {
    done: latencies.length,
    elapsed_ms,
    // Comparable with the same in other processes.
    ended_at: performance.timeOrigin + schedule.started + elapsed_ms,
    ran_out: schedule.ran_out,
    p50_ms: quantile(latencies, 0.5),
    p99_ms: quantile(latencies, 0.99),
    ...(lists && { latencies }),
    generator_cpu_ms: (user + system) / 1000,
    preparing_cpu_ms: (prepared.user + prepared.system) / 1000,
  };
}

const connect = (port) =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket));
  });

/** Which request comes next, and when. */
class Schedule {
  started = performance.now();
  #next = 0;
  #count;
  #end;
  #per_s;

  constructor({ count, ms = Infinity, per_s }) {
    this.#count = count;
    this.#end = this.started + ms;
    this.#per_s = per_s;
  }

  /** The next one's number and when it is due; nothing if there is none. */
  take() {
    const now = performance.now();
    if (this.ran_out || now >= this.#end) return null;
    const number = this.#next;
    this.#next += 1;
    return { number, due: this.#per_s ? this.started + (number / this.#per_s) * 1000 : now };
  }

  get ran_out() {
    return this.#next >= this.#count;
  }

  stop() {
    this.#end = 0;
  }
}

/** Sends one request after the other, and gives `heard` each answer and the time that it took. */
const talk = (socket, schedule, requests, heard) =>
  new Promise((resolve, reject) => {
    let since;
    let text = "";
    const send = async () => {
      const next = schedule.take();
      if (!next) {
        socket.destroy();
        resolve();
        return;
      }
      since = next.due;
      const early_ms = since - performance.now();
      if (early_ms > 0) await sleep(early_ms);
      socket.write(requests[next.number % requests.length]);
    };
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the connection was closed")));
    socket.on("data", (chunk) => {
      text += chunk.latin1Slice();
      if (!isWhole(text)) return;
      heard(text, performance.now() - since);
      text = "";
      send();
    });
    send();
  });

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
