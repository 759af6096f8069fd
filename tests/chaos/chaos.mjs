// The gateway under steady load, killed again and again, and what must hold afterwards.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { newFolder, removeFolder } from "../e2e/support/folders.mjs";
import { check } from "./check.mjs";
import { gather, settle } from "./evidence.mjs";
import { Gateway } from "./gateway.mjs";
import { Load } from "./load.mjs";
import { Random } from "./random.mjs";

/** Time between a start and the next kill. Some come while the last one isn't dealt with yet. */
const LIFE_MS_MAX = 6_000;
const SHORT_LIFE_MS_MAX = 300;
const SHORT_LIVES = 200; // in a thousand

/** What D1 says while it is in trouble, and for how many lives in a thousand it is. */
const TROUBLES = [
  "D1 DB is overloaded. Requests queued for too long.",
  "Network connection lost.",
  "database or disk is full: SQLITE_FULL",
];
const TROUBLED_LIVES = 400;

/** After a request has left, so long until the kill: then it is somewhere on its way. */
const WAY_MS_MAX = 12;

const LAST_DELIVERIES_MS_MAX = 180_000;

/**
 * How long what is behind the answers may take. An alarm comes after a minute, and after twice as long
 * as the last one if that was of no use; up to a quarter more. So the next one is not further away
 * than five quarters of the time that has passed, and of that minute.
 */
const settle_ms_max = (passed_ms) => (passed_ms + 60_000) * 1.25 + 60_000;

/**
 * Runs it all. `say` is told how it goes, a line at a time. At the end the ledgers are asked how they
 * are, which wakes them, or with `asks` false are left to their alarms, which takes minutes. Gives the
 * violations, a summary, the evidence, and the folder with the state, which is removed where there's
 * nothing to look into.
 */
export async function chaos({ seed, kills, rate, asks = false, say = () => {} }) {
  const folder = newFolder();
  const gateway = new Gateway(folder);
  const load = new Load({ gateway, seed, rate });
  try {
    const since = performance.now();
    const worker = await storm({ gateway, load, seed, kills, say });
    const { facts } = load;
    const ms = settle_ms_max(performance.now() - since);
    const wait = `the ledgers' alarms bring the rest, in ${Math.round(ms / 1_000)} s at the most`;
    say(`settling${asks ? "" : `: ${wait}`}`);
    await settle(worker, facts, { asks, ms });
    say("reading the histories");
    const evidence = await gather(worker, facts);
    await gateway.stop();
    const violations = check(evidence);
    const found = { violations, log: gateway.log, evidence };
    if (violations.length) writeFileSync(join(folder, "chaos.json"), JSON.stringify(found));
    else removeFolder(folder);
    return { violations, summary: summary({ kills, load, gateway, evidence }), evidence, folder };
  } catch (error) {
    await gateway.stop().catch(() => {});
    error.message += `; the state is kept in ${folder}`;
    throw error;
  }
}

/** Load and kills, up to the last answer, and one more kill while what was answered is on its way. */
async function storm({ gateway, load, seed, kills, say }) {
  const random = new Random(seed, "kills");
  const troubles = new Random(seed, "troubles");
  await gateway.start();
  await gateway.trouble(troubles.pick(TROUBLES));
  const talking = load.run();
  // An error in here is one of the run, not one that nobody waits for.
  talking.catch(() => {});
  for (let n = 1; n <= kills; n += 1) {
    const life_ms = await killed(gateway, random);
    const how = `${load.facts.length} deliveries, ${load.answered} answered`;
    const trouble = troubles.chance(TROUBLED_LIVES) ? troubles.pick(TROUBLES) : undefined;
    await gateway.trouble(trouble);
    const then = trouble ? `; now D1 says "${trouble}"` : "";
    say(`kill ${n} of ${kills}, after ${(life_ms / 1_000).toFixed(1)} s: ${how}${then}`);
  }
  await gateway.trouble();
  await sleep(random.below(LIFE_MS_MAX));
  await load.end(LAST_DELIVERIES_MS_MAX);
  await talking;
  await gateway.kill();
  say(`a last kill, after the last answer: ${load.facts.length} deliveries, ${load.answered} answered`);
  return gateway.start();
}

/** Kills it at a random moment, and starts it again; gives how long it lived. */
async function killed(gateway, random) {
  const isShort = random.chance(SHORT_LIVES);
  const life_ms = random.below(isShort ? SHORT_LIFE_MS_MAX : LIFE_MS_MAX);
  const way_ms = random.below(WAY_MS_MAX);
  await sleep(life_ms);
  await gateway.asked;
  await sleep(way_ms);
  await gateway.kill();
  await gateway.start();
  return life_ms;
}

function summary({ kills, load, gateway, evidence: { facts, ledgers, records } }) {
  // The first start is none after a kill, and after the last one there is no load.
  const starts = gateway.starts_ms
    .slice(1, -1)
    .filter((ms) => ms !== undefined)
    .sort((a, b) => a - b);
  const seconds = (ms) => (ms === undefined ? "none" : `${(ms / 1_000).toFixed(2)} s`);
  const isDuplicate = ({ status }) => status === "duplicate";
  const answers = facts.flatMap((fact) => fact.answers);
  const isUnheard = ({ answers, meaning }) => answers.length && !meaning.nameless && answers.every(isDuplicate);
  const unheard = facts.filter(isUnheard);
  return {
    kills: `${kills} under load, 1 after it`,
    deliveries: facts.length,
    "answered with 200": load.answered,
    requests: load.requests,
    "retries, also while it was down": load.retries,
    "broken off in mid-body": load.broken,
    "requests without an answer": facts.reduce((sum, fact) => sum + fact.abandoned, 0),
    "calls that D1 refused": gateway.log.filter((line) => TROUBLES.some((text) => line.includes(text))).length,
    "answers other than 200": facts.reduce((sum, fact) => sum + fact.refusals.length, 0),
    "duplicates recognised": answers.filter(isDuplicate).length,
    "kept although the answer was lost": unheard.length,
    ledgers: Object.keys(ledgers).length,
    "events in them": Object.values(ledgers).reduce((sum, { log }) => sum + log.length, 0),
    "records in D1": records.length,
    "restarts that lived to a 200": `${starts.length} of ${kills}`,
    "start to first 200, median": seconds(starts[starts.length >> 1]),
    "start to first 200, worst": seconds(starts.at(-1)),
  };
}
