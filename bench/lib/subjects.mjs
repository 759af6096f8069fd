// What is measured, each run the same way: on workerd under Miniflare, with the settings of
// wrangler.toml, behind a socket of its own. Miniflare's usual entry is a Worker that routes; it
// would be measured along, so it is left out.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { built, host, settings } from "../../tests/e2e/support/host.mjs";
import { inBench, inRoot } from "./paths.mjs";

/**
 * Where state is kept: in memory, where there is such a folder. A disk takes milliseconds to say
 * that something is durable, the same for every subject, and would be all that's measured.
 */
export const stateRoot = process.env.LEASEWIRE_BENCH_STATE ?? (existsSync("/dev/shm") ? "/dev/shm" : tmpdir());

const esModule = (path) => ({ type: "ESModule", path });

const TWIN_PARTS = ["dialects", "time", "problems", "within", "same", "ties", "fold", "ledger", "consumer"];

const twin = {
  modulesRoot: inBench(),
  modules: [esModule(inBench("twin.js")), ...TWIN_PARTS.map((name) => esModule(inBench("twin", `${name}.js`)))],
};

const floor = (kind) => ({ modules: [esModule(inBench("floor.js"))], bindings: { FLOOR: kind } });

/** Leasewire as it was built into `folder`. */
export const build = (title, folder) => ({ title, ...built(folder) });

export const SUBJECTS = {
  ours: build("ours", inRoot("build")),
  twin: { title: "the twin", ...twin },
  insert: { title: "floor: insert", ...floor("insert") },
  answer: { title: "floor: answer", ...floor("answer") },
};

/** The shipped wasm, as it is and as Cloudflare counts it. */
export function wasmSize() {
  const wasm = readFileSync(inRoot("build", "index_bg.wasm"));
  return { bytes: wasm.length, gzipped_bytes: gzipSync(wasm, { level: 9 }).length };
}

// A Worker that looks into D1 from within workerd, so that waiting for a row costs no detour.
const PROBE = `export default {
  async fetch(request, env) {
    const { sql, params, ms, every_ms } = await request.json();
    const end = Date.now() + ms;
    for (;;) {
      const row = await env.DB.prepare(sql).bind(...params).first();
      if (row?.done || Date.now() > end) return Response.json(row);
      await new Promise((resolve) => setTimeout(resolve, every_ms));
    }
  },
};`;

/**
 * Waits until the query `sql` gives a row in D1 whose column `done` is true, and gives that row, or
 * the last one when `ms` have passed.
 */
export async function look({ probeUrl }, sql, params = [], { ms = 0, every_ms = 2 } = {}) {
  const answer = await fetch(probeUrl, { method: "POST", body: JSON.stringify({ sql, params, ms, every_ms }) });
  return answer.json();
}

/**
 * Starts the subject called `name`.
 * - `folder`: where state is kept; by default a new one that goes with it.
 * - `bindings`: in place of, or beside, those of wrangler.toml;
 * - `consumes`: false leaves out the consumers, so that what is sent is lost and stays unconfirmed;
 * - `consumer`: settings of the consumers, in place of those of wrangler.toml;
 * - `adjust`: changes Miniflare's options of the Worker.
 */
export async function start(name, { folder, consumes = true, consumer, inspectorPort, bindings: more, adjust } = {}) {
  const { title, bindings, ...code } = SUBJECTS[name];
  const { compatibilityDate, d1Databases } = settings();
  const unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  const probe = { name: "probe", modules: true, script: PROBE, compatibilityDate, d1Databases, unsafeDirectSockets };
  const place = folder ?? newFolder();
  // Lines are read and dropped: writing one is the subject's cost, what becomes of it is not.
  const { mf, pid, ready_ms } = await host({
    code,
    folder: place,
    bindings: { ...bindings, ...more },
    adjust(main) {
      if (!consumes) main.queueConsumers = {};
      for (const one of Object.values(main.queueConsumers)) Object.assign(one, consumer);
      main.unsafeDirectSockets = unsafeDirectSockets;
      adjust?.(main);
    },
    workers: [probe],
    inspectorPort,
  });
  const port = Number((await mf.unsafeGetDirectURL("leasewire")).port);
  const probeUrl = (await mf.unsafeGetDirectURL("probe")).href;
  const stop = async () => {
    await mf.dispose();
    if (folder === undefined) removeFolder(place);
  };
  return { name, title, mf, port, probeUrl, pid, ready_ms, stop };
}

const folders = new Set();
// Also when it's interrupted: memory isn't to be left full.
process.on("exit", () => folders.forEach(removeFolder));

/** A place for state, which goes with this process at the latest. */
export function newFolder() {
  const folder = mkdtempSync(join(stateRoot, "leasewire-bench-"));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.delete(folder);
}
