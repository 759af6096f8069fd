// Where a subject's time goes: `node bench/profile.mjs ours` prints the functions that took most of
// workerd's own time while it took webhooks in, and writes the whole profile for a browser's tools.
// Needs Node.js 22. What is native (SQLite, streams, calls between objects) counts as "(program)".

import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { Generator } from "./lib/generator.mjs";
import { inspect } from "./lib/inspector.mjs";
import { inRoot } from "./lib/paths.mjs";
import { start } from "./lib/subjects.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    wrong: { type: "boolean" },
    seconds: { type: "string", default: "5" },
    size: { type: "string", default: "small" },
  },
});
const [name = "ours"] = positionals;
const ms = Number(options.seconds) * 1000;

const subject = await start(name, { inspectorPort: 0 });
const generator = new Generator();
const job = {
  connections: 32,
  size: options.size,
  ...(options.wrong ? { status: 401, wrong: true } : { status: 200 }),
};
await generator.run(subject, { ...job, from: 0, distinct: 10_000, ms: 2_500 });
const inspector = await inspect(subject);
await inspector.ask("Profiler.enable");
await inspector.ask("Profiler.setSamplingInterval", { interval: 200 });
await inspector.ask("Profiler.start");
const result = await generator.run(subject, { ...job, from: 100_000, distinct: 40_000, ms });
const { profile } = await inspector.ask("Profiler.stop");
inspector.close();
generator.stop();
await subject.stop();

const names = new Map(profile.nodes.map((node) => [node.id, node]));
const self = new Map();
profile.samples.forEach((id, at) => {
  const { functionName, url, lineNumber } = names.get(id).callFrame;
  const place = /wasm/.test(url) ? "wasm" : `${url.split("/").at(-1)}:${lineNumber + 1}`;
  const key = `${functionName || "(anonymous)"} ${place}`;
  self.set(key, (self.get(key) ?? 0) + profile.timeDeltas[at]);
});
const total = [...self.values()].reduce((sum, us) => sum + us, 0);
console.log(`${Math.round(result.per_s)}/s, ${Math.round(result.cpu_us_each)} µs of workerd each\n`);
for (const [key, us] of [...self].sort((a, b) => b[1] - a[1]).slice(0, 45)) {
  console.log(
    `${((us / total) * 100).toFixed(1).padStart(5)} %  ${(us / result.done).toFixed(1).padStart(6)} µs  ${key}`,
  );
}
const folder = inRoot("target", "bench");
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/${name}.cpuprofile`, JSON.stringify(profile));
process.exit(0);
