// Medians, ratios and the table.

import { SUBJECTS } from "./subjects.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `a` over `b` in each round that has both: subjects of one round had the same machine. */
function ratio(a, b, metric) {
  const both = a.flatMap((one) => {
    const other = b.find(({ round }) => round === one.round);
    return other ? [one[metric] / other[metric]] : [];
  });
  return both.length ? { median: median(both), min: Math.min(...both), max: Math.max(...both) } : null;
}

const METRICS = ["per_s", "p50_ms", "p99_ms", "cpu_us_each"];

/** For each case: medians of each subject, and ours over each other one. */
export function summary({ cases }) {
  const all = {};
  for (const [name, subjects] of Object.entries(cases)) {
    const medians = {};
    const ratios = {};
    for (const [subject, rounds] of Object.entries(subjects)) {
      medians[subject] = Object.fromEntries(METRICS.map((metric) => [metric, median(rounds.map((one) => one[metric]))]));
      if (subject === "ours" || !subjects.ours) continue;
      ratios[subject] = Object.fromEntries(METRICS.map((metric) => [metric, ratio(subjects.ours, rounds, metric)]));
    }
    all[name] = { medians, ratios };
  }
  return all;
}

/** What was promised: ours over another subject, at least or at most. */
const GOALS = [
  { name: "accepted", over: "twin", metric: "per_s", min: 1 },
  { name: "accepted", over: "insert", metric: "per_s", min: 0.85 },
  { name: "accepted", over: "twin", metric: "p99_ms", max: 1 },
  { name: "401", over: "twin", metric: "per_s", min: 1 },
];
const WASM_BYTES_MAX = 200_000;

const TITLES = { per_s: "per second", p50_ms: "p50 ms", p99_ms: "p99 ms", cpu_us_each: "CPU µs each" };

/** Rows of cells in columns, the first to the left. */
export function grid(rows) {
  const widths = rows[0].map((_cell, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows.map((row) => row.map((cell, at) => (at ? cell.padStart(widths[at]) : cell.padEnd(widths[at]))).join("  ")).join("\n");
}

const round = (value, digits) => value.toFixed(digits);

export function table(results) {
  const parts = [];
  for (const [name, { medians, ratios }] of Object.entries(results.summary)) {
    const rows = [[name, ...Object.values(TITLES), "ours ÷ it, per second", "CPU"]];
    for (const [subject, values] of Object.entries(medians)) {
      const spread = (metric) => {
        const one = ratios[subject]?.[metric];
        return one ? `${round(one.median, 2)} (${round(one.min, 2)}–${round(one.max, 2)})` : "";
      };
      rows.push([
        `  ${SUBJECTS[subject].title}`,
        round(values.per_s, 0),
        round(values.p50_ms, 1),
        round(values.p99_ms, 1),
        round(values.cpu_us_each, 0),
        spread("per_s"),
        spread("cpu_us_each"),
      ]);
    }
    parts.push(grid(rows));
  }
  parts.push(grid([["start to first answer", "ms"], ...Object.entries(results.starts).map(([subject, values]) =>
    [`  ${SUBJECTS[subject].title}`, round(median(values), 0)])]));
  parts.push(goals(results));
  parts.push(trust(results));
  return parts.join("\n\n");
}

function goals({ summary, wasm }) {
  const rows = [["goal", "wanted", "measured", ""]];
  for (const { name, over, metric, min, max } of GOALS) {
    const one = summary[name]?.ratios[over]?.[metric];
    if (!one) continue;
    const met = min === undefined ? one.median <= max : one.median >= min;
    const wanted = min === undefined ? `≤ ${max}×` : `≥ ${min}×`;
    rows.push([`  ${name}, ${TITLES[metric]}, to ${SUBJECTS[over].title}`, wanted, `${round(one.median, 2)}×`, met ? "met" : "missed"]);
  }
  const kb = wasm.gzipped_bytes / 1000;
  rows.push(["  wasm, gzipped", `≤ ${WASM_BYTES_MAX / 1000} KB`, `${round(kb, 0)} KB`, wasm.gzipped_bytes <= WASM_BYTES_MAX ? "met" : "missed"]);
  return grid(rows);
}

/** What a reader needs to believe the rest. */
function trust({ cases, machine, versions, state, plan, minutes }) {
  const all = Object.values(cases).flatMap((subjects) => Object.values(subjects).flat());
  const generator = median(all.map((one) => (one.generator_cpu_ms / one.done) * 1000));
  const host = median(all.map((one) => (one.host_cpu_ms / one.done) * 1000));
  const others = all.map((one) => (one.others_cpu_ms / one.elapsed_ms) * 100);
  return [
    `${machine.processor}, ${machine.cores} cores; workerd ${versions.workerd}; state ${state};`,
    `${plan.rounds} rounds of ${plan.ms / 1000} s each, subjects in turn, ${round(minutes, 1)} minutes in all. Values are medians,`,
    "ratios medians of the rounds' ratios, with the smallest and the largest.",
    `Beside workerd, each request took ${round(generator, 0)} µs of the load generator and ${round(host, 0)} µs of Miniflare's host.`,
    `Other programs took ${round(median(others), 0)} % of a core (median; ${round(Math.max(...others), 0)} % at the most).`,
    Math.max(...others) > 15 ? "That is too much: times and rates are not to be trusted, CPU and ratios only roughly." : "",
  ].join("\n");
}
