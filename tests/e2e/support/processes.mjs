// Programs that tests start, and everything those start in turn.

import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:net";

import { inRoot } from "./paths.mjs";
import { until } from "./wait.mjs";

/** A port that nobody listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const processes = () =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,comm="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, state, command]) => ({ pid: Number(pid), parent: Number(parent), state, command }))
    // Those that have ended and wait to be noticed don't count.
    .filter(({ state }) => state && !state.startsWith("Z"));

/** The process `pid` and all below it. */
export function family(pid) {
  const all = processes();
  const found = all.filter((process) => process.pid === pid);
  for (const { pid: parent } of found) found.push(...all.filter((process) => process.parent === parent));
  return found;
}

/** Which of these are still running. */
export function alive(family) {
  const all = new Map(processes().map((process) => [process.pid, process.command]));
  return family.filter(({ pid, command }) => all.get(pid) === command);
}

/** A program in the checkout; `output` is what it has said so far. */
export class Program {
  output = "";
  code;

  constructor(program, args, { env = {}, group = false } = {}) {
    this.child = spawn(program, args, {
      cwd: inRoot(),
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: group,
    });
    this.pid = this.child.pid;
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on("data", (data) => {
        this.output += data;
      });
    }
    this.ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (code, signal) => {
        this.code = code ?? signal;
        resolve(this.code);
      });
    });
  }

  /** Waits for its end; gives its exit code. */
  async end(ms) {
    await until(`the end of ${this.child.spawnargs.join(" ")}`, () => this.code !== undefined, { ms });
    return this.code;
  }
}
