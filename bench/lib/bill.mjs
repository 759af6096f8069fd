// The bill: what a million webhooks cost, on the terminal and for docs/cost.md.

import { BESIDE, goalOf, ITEMS, isMet, PRICES } from "./cost.mjs";
import { grid } from "./report.mjs";
import { SUBJECTS } from "./subjects.mjs";

/** Cases in the order in which they are told. */
const CASES = [
  "busy, created",
  "busy, updated",
  "busy, history going",
  "usual, created",
  "usual, updated",
  "usual at random, updated",
  "usual, hydrated",
  "asleep, updated",
  "duplicate",
  "duplicate, asleep",
  "401",
  "replayed",
  "silent",
];

const NOTES = [
  "Dollars per million webhooks; silent: dollars per month. Counted on workerd under Miniflare, in real time:",
  "busy is one integration with 50 events a second; usual is 60 with an event every 10 seconds each, counted",
  "while each has two alarms; at random is the same with exponential pauses; asleep is a webhook for a ledger",
  "that had none for long and lost its memory, with the alarms that follow. CPU is all that workerd used, its",
  "stand-ins for D1 and queues included, so it's more than is billed. A ledger is awake while it answers and",
  "while a timer, the queue or the database keeps it from sleeping: both are times of this machine, and a busy",
  "one makes them longer; a queue far away takes longer than here.",
];

/** In place of what a subject can't do. */
const NONE = "–";

const dollars = (usd) => usd.toFixed(2);
const prices = () => `${PRICES.plan}; list prices as of ${PRICES.read}, see bench/prices.json.`;

const casesOf = (results) => CASES.filter((name) => name in results.cases);

export function table(results) {
  const names = casesOf(results);
  const parts = ["ours", "twin"].map((subject) => breakdown(results, names, subject));
  const trust = [...endless(results, names), ...crowded(results)];
  return [...parts, goals(results, names), [...NOTES, prices()].join("\n"), ...trust].join("\n\n");
}

function breakdown({ cases }, names, subject) {
  const cell = (of) => names.map((name) => (subject in cases[name] ? dollars(of(cases[name][subject])) : NONE));
  const usd = (title, part) => cell((one) => one[part][title].usd);
  const rows = [[SUBJECTS[subject].title, ...names]];
  for (const { title } of ITEMS) rows.push([`  ${title}`, ...usd(title, "items")]);
  rows.push(["  together", ...cell((one) => one.usd)]);
  for (const { title } of BESIDE) rows.push([`  + ${title}`, ...usd(title, "beside")]);
  return grid(rows);
}

function goals({ cases }, names) {
  const rows = [["goal", "wanted", "ours", "the twin", ""]];
  for (const name of names) {
    const { ours, twin } = cases[name];
    const wanted = goalOf(name);
    const verdict = wanted === undefined ? "" : isMet(name, ours) ? "met" : "missed";
    const theirs = twin ? dollars(twin.usd) : NONE;
    rows.push([`  ${name}`, wanted === undefined ? "" : `≤ ${dollars(wanted)}`, dollars(ours.usd), theirs, verdict]);
  }
  return grid(rows);
}

/** Cases that were not over when the counting ended. */
function endless({ cases }, names) {
  const found = names.filter((name) => cases[name].ours.ended === false);
  return found.map((name) => `${name}: alarms were still set after four minutes, so it costs more than is shown.`);
}

/** Whether more ran than there were processors: then all that is time is too long. */
function crowded({ machine }) {
  const { load, cores } = machine;
  if (load <= cores) return [];
  return [
    `The machine was busy (load ${load.toFixed(1)} on ${cores} cores): CPU and awake are too high, and packs not as usual.`,
  ];
}

const PLACES = {
  "busy, created": "new record, busy integration (50 events/s)",
  "busy, updated": "changed record, busy integration",
  "busy, history going": "the same while its history goes",
  "usual, created": "new record, usual integration (an event every 10 s)",
  "usual, updated": "changed record, usual integration",
  "usual at random, updated": "the same at random times, 10 s apart on average",
  "usual, hydrated": "changed record, usual integration, read whole from the provider's API",
  "asleep, updated": "changed record, an event an hour",
  duplicate: "duplicate",
  "duplicate, asleep": "duplicate, hours later",
  401: "bad signature (401)",
  replayed: "event replayed",
  silent: "silent integration, a month",
};

/** The parts of a price as docs/cost.md sums them up. */
const SUMS = {
  requests: ["Worker requests", "ledger calls", "ledger alarms gone off"],
  "CPU and time": ["CPU, at the most", "ledger awake"],
  "ledger rows": ["ledger rows written", "ledger alarms set", "history", "ledger rows read"],
  queue: ["queue operations"],
  "D1 rows": ["D1 rows written", "D1 rows read"],
};

const row = (cells) => `| ${cells.join(" | ")} |`;

export function markdown(results) {
  const head = ["a million webhooks", ...Object.keys(SUMS), "**Leasewire**", "the twin"];
  const lines = [row(head), row(head.map((_cell, at) => (at ? "--:" : "---")))];
  for (const name of casesOf(results)) {
    const { ours, twin } = results.cases[name];
    const sums = Object.values(SUMS).map((titles) =>
      dollars(titles.reduce((sum, title) => sum + ours.items[title].usd, 0)),
    );
    const more = ours.ended === false ? "more than " : "";
    const theirs = twin ? `$${dollars(twin.usd)}` : NONE;
    lines.push(row([PLACES[name], ...sums, `**${more}$${dollars(ours.usd)}**`, theirs]));
  }
  return lines.join("\n");
}
