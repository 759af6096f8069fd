// What a million webhooks cost; run.mjs starts it under the right Node.js. `npm run cost`:
//   --only busy,usual   some parts: see PARTS; all but `history` by default
//   --seconds n         how long each kind of busy event is sent
//   --days n            how far the clock goes on after each round of the part `history`
//   --no-build          counts build/ as it is
//   --markdown          prints the last results as docs/cost.md has them, and counts nothing
//   --bindings JSON     over those of wrangler.toml
//
// The part `history` is not counted unless asked for: the clock goes on by a month after each round, so
// that history goes as it comes, and its rows are a line of their own. What a round lasts must be longer
// than from one alarm to the next:
//   npm run cost -- --only history --days 31

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";

import { asking, serveApi } from "./lib/api.mjs";
import { markdown, table } from "./lib/bill.mjs";
import { count } from "./lib/count.mjs";
import { inRoot } from "./lib/paths.mjs";
import { start } from "./lib/subjects.mjs";
import { aging, awakened, busy, replayed, silence, usual } from "./lib/traffic.mjs";

const FILE = inRoot("target", "cost", "results.json");
const NAMES = ["ours", "twin"];

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "busy,usual,hydrated" },
    seconds: { type: "string", default: "75" },
    days: { type: "string", default: "31" },
    bindings: { type: "string", default: "{}" },
    markdown: { type: "boolean" },
    "no-build": { type: "boolean" },
  },
});

/** `more` over `base`, member by member. */
function over(base, more) {
  if (typeof base !== "object" || typeof more !== "object") return more;
  const members = Object.entries(more).map(([name, value]) => [name, name in base ? over(base[name], value) : value]);
  return { ...base, ...Object.fromEntries(members) };
}

const bindings = JSON.parse(options.bindings);
const adjust = (worker) => {
  worker.bindings = over(worker.bindings, bindings);
  count(worker);
};

/** Each part: on a subject of its own, it gives costs by the name of their case. One that asks has no twin. */
const PARTS = {
  busy: [
    async (subject, tell) => {
      const seconds = Number(options.seconds);
      const costs = await busy(subject, { seconds }, tell);
      // The twin can't do that.
      if (subject.name === "twin") return costs;
      return { ...costs, ...(await replayed(subject, { expected: 50 * seconds }, tell)) };
    },
  ],
  history: [(subject, tell) => aging(subject, { seconds: Number(options.seconds), days: Number(options.days) }, tell)],
  usual: [
    async (subject, tell) => {
      const kind = "created";
      const { result, numbers } = await usual(subject, { kind }, tell);
      const silent = await silence(subject, tell);
      const duplicate = await awakened(subject, { kind, numbers, expected: "duplicate" }, tell);
      return { "usual, created": result, silent, "duplicate, asleep": duplicate };
    },
    async (subject, tell) => {
      const kind = "updated";
      const { result, numbers } = await usual(subject, { kind }, tell);
      await silence(subject, tell);
      const accepted = await awakened(subject, { kind, numbers, expected: "accepted" }, tell);
      return { "usual, updated": result, "asleep, updated": accepted };
    },
    async (subject, tell) => {
      const { result } = await usual(subject, { kind: "updated", random: true }, tell);
      return { "usual at random, updated": result };
    },
  ],
  hydrated: [
    Object.assign(
      async (subject, tell) => {
        const { result } = await usual(subject, { kind: "updated" }, tell);
        return { "usual, hydrated": { ...result, asked: subject.api.requests } };
      },
      { asks: true },
    ),
  ],
};

/** The subject called `name`, for a part that `asks` with an API of its own. */
async function subjectOf(name, { asks }) {
  if (!asks) return start(name, { adjust });
  const api = await serveApi();
  const subject = await start(name, { adjust, bindings: asking(api.url) });
  return { ...subject, api, stop: () => Promise.all([subject.stop(), api.stop()]) };
}

async function measure() {
  const since = Date.now();
  const parts = options.only.split(",").flatMap((name) => PARTS[name] ?? unknown(name));
  const jobs = [];
  // One after the other, because a start looks for the process that is its own.
  for (const part of parts) {
    const names = part.asks ? ["ours"] : NAMES;
    for (const name of names) jobs.push({ name, part, subject: await subjectOf(name, part) });
  }
  const cases = {};
  await Promise.all(
    jobs.map(async ({ name, part, subject }) => {
      const tell = (what) => console.log(`${Math.round((Date.now() - since) / 1000)} s  ${subject.title}: ${what}`);
      for (const [one, cost] of Object.entries(await part(subject, tell))) {
        cases[one] ??= {};
        cases[one][name] = cost;
      }
    }),
  );
  await Promise.all(jobs.map(({ subject }) => subject.stop()));
  const minutes = (Date.now() - since) / 60_000;
  // Of the last quarter of an hour, which is what a whole run takes.
  const machine = { load: loadavg()[2], cores: cpus().length };
  return { at: new Date().toISOString(), options, machine, minutes, cases };
}

function unknown(name) {
  console.error(`There is no part "${name}". There are ${Object.keys(PARTS).join(", ")}.`);
  process.exit(1);
}

function last() {
  try {
    return JSON.parse(readFileSync(FILE, "utf8"));
  } catch {
    console.error("Nothing was counted yet: run `npm run cost` first.");
    process.exit(1);
  }
}

if (options.markdown) {
  console.log(markdown(last()));
} else {
  const results = await measure();
  mkdirSync(inRoot("target", "cost"), { recursive: true });
  writeFileSync(FILE, `${JSON.stringify(results, null, 1)}\n`);
  console.log(`\n${table(results)}`);
}
process.exit(0);
