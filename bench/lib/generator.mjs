// The load generator as the measurements use it, with the processor time of both sides.

import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { inBench } from "./paths.mjs";

// Linux counts in hundredths of a second, whatever the kernel's own tick.
const TICK_MS = 10;

/** Milliseconds of processor time that a process has used, all threads together. */
export function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Milliseconds of processor time that all processes have used. */
function cpuOfAll() {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8").split(/\s+/).map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}

/** Waits until `subject` has nothing left to do, such as packs on their way from what was measured before. */
export async function quiet(subject, { ms = 15_000 } = {}) {
  const end = Date.now() + ms;
  for (let idle = 0; idle < 4 && Date.now() < end; ) {
    const before = cpuOf(subject.pid);
    await sleep(150);
    idle = cpuOf(subject.pid) - before <= TICK_MS ? idle + 1 : 0;
  }
}

export class Generator {
  #child = fork(inBench("lib", "load.mjs"));

  /** Loads `subject` as load.mjs describes it. */
  run(subject, job) {
    return new Promise((resolve, reject) => {
      let before;
      const look = () => ({
        workerd: cpuOf(subject.pid),
        host: process.cpuUsage(),
        all: cpuOfAll(),
      });
      const listen = ({ started, result, error }) => {
        if (started) {
          before = look();
          return;
        }
        this.#child.off("message", listen);
        if (error) return reject(new Error(`${subject.title}: ${error}`));
        const after = look();
        const host = after.host.user + after.host.system - before.host.user - before.host.system;
        const workerd_cpu_ms = after.workerd - before.workerd;
        const host_cpu_ms = host / 1000;
        resolve({
          ...result,
          per_s: result.done / (result.elapsed_ms / 1000),
          workerd_cpu_ms,
          host_cpu_ms,
          // What other programs took meanwhile: little, if the measurement is to be trusted.
          others_cpu_ms: Math.max(0, after.all - before.all - workerd_cpu_ms - host_cpu_ms - result.generator_cpu_ms),
          cpu_us_each: (workerd_cpu_ms / result.done) * 1000,
        });
      };
      this.#child.on("message", listen);
      this.#child.send({ port: subject.port, ...job });
    });
  }

  stop() {
    this.#child.disconnect();
  }
}
