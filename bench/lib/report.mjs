// Medians, ratios, goals and the table.

import { cell, MATRIX } from "./measures.mjs";
import { many, median, quantile, short } from "./numbers.mjs";
import { SUBJECTS } from "./subjects.mjs";

/** `a` over `b` in each slice that has both: seconds apart, they had the same machine. */
function ratio(a, b, metric) {
  const both = a.flatMap((one) => {
    const other = b.find(({ round, slice }) => round === one.round && slice === one.slice);
    return other ? [one[metric] / other[metric]] : [];
  });
  if (!both.length) return null;
  return { median: median(both), low: quantile(both, 0.25), high: quantile(both, 0.75) };
}

/** What there is to know of a case, and how it's called in a table. */
const METRICS = {
  per_s: "per second",
  p50_ms: "p50 ms",
  p99_ms: "p99 ms",
  cpu_us_each: "CPU µs each",
  whole_cpu_us_each: "to the end",
};

function medianOf(rounds, metric) {
  // Few in a round: the 99th of a hundred says more than the last of twenty.
  if (metric === "p99_ms" && rounds[0].times_ms)
    return quantile(
      rounds.flatMap((one) => one.times_ms),
      0.99,
    );
  return median(rounds.map((one) => one[metric]));
}

/** For each case: medians of each subject, and ours over each other one. */
export function summary({ cases }) {
  const all = {};
  for (const [name, subjects] of Object.entries(cases)) {
    const metrics = Object.keys(METRICS).filter((metric) => Object.values(subjects)[0][0][metric] !== undefined);
    const medians = {};
    const ratios = {};
    for (const [subject, rounds] of Object.entries(subjects)) {
      medians[subject] = Object.fromEntries(metrics.map((metric) => [metric, medianOf(rounds, metric)]));
      if (subject === "ours" || !subjects.ours) continue;
      ratios[subject] = Object.fromEntries(metrics.map((metric) => [metric, ratio(subjects.ours, rounds, metric)]));
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
  { name: "401s", over: "twin", metric: "per_s", min: 1 },
  { name: "backlog", over: "twin", metric: "per_s", min: 2 },
];
const WASM_BYTES_MAX = 200_000;

/** Each goal: what was wanted and measured, and whether that's enough; null where it was not measured. */
export function goals({ summary, wasm }) {
  const all = GOALS.map(({ name, over, metric, min, max }) => {
    const one = summary[name]?.ratios[over]?.[metric] ?? null;
    return {
      title: `${name}, ${METRICS[metric]}, to ${SUBJECTS[over].title}`,
      wanted: min === undefined ? `≤ ${max}×` : `≥ ${min}×`,
      measured: one && spread(one),
      met: one && (min === undefined ? one.median <= max : one.median >= min),
    };
  });
  all.push({
    title: "wasm, gzipped",
    wanted: `≤ ${WASM_BYTES_MAX / 1000} KB`,
    measured: `${Math.round(wasm.gzipped_bytes / 1000)} KB`,
    met: wasm.gzipped_bytes <= WASM_BYTES_MAX,
  });
  return all;
}

export const verdict = (met) => (met === null ? "not measured" : met ? "met" : "MISSED");

export const spread = ({ median, low, high }) => `${median.toFixed(2)}× (${low.toFixed(2)}–${high.toFixed(2)})`;

export function grid(rows) {
  const widths = rows[0].map((_cell, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows
    .map((row) =>
      row
        .map((text, at) => (at ? text.padStart(widths[at]) : text.padEnd(widths[at])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function table(results) {
  const cells = new Set(MATRIX.connections.flatMap((c) => MATRIX.integrations.map((i) => cell(c, i))));
  const cases = Object.entries(results.summary).filter(([name]) => !cells.has(name));
  return [
    ...cases.map(([name, one]) => caseTable(name, one)),
    ...["twin", "insert"].map((subject) => matrixTable(results.summary, subject)),
    grid([
      ["start to first answer", "ms"],
      ...Object.entries(results.starts).map(([subject, values]) => [
        `  ${SUBJECTS[subject].title}`,
        short(median(values)),
      ]),
    ]),
    grid([
      ["goal", "wanted", "measured (the middle half)", ""],
      ...goals(results).map(({ title, wanted, measured, met }) => [
        `  ${title}`,
        wanted,
        measured ?? "–",
        verdict(met),
      ]),
    ]),
    trust(results),
  ]
    .filter(Boolean)
    .join("\n\n");
}

function caseTable(name, { medians, ratios }) {
  const metrics = Object.keys(Object.values(medians)[0]);
  // The rate says it all, where there is one.
  const compared = metrics.filter(
    (metric) => metric === "cpu_us_each" || metric === (metrics.includes("per_s") ? "per_s" : "p50_ms"),
  );
  const head = [
    name,
    ...metrics.map((metric) => METRICS[metric]),
    ...compared.map((metric) => `ours ÷ it, ${METRICS[metric]}`),
  ];
  const rows = Object.entries(medians).map(([subject, values]) => [
    `  ${SUBJECTS[subject].title}`,
    ...metrics.map((metric) => short(values[metric])),
    ...compared.map((metric) => (ratios[subject]?.[metric] ? spread(ratios[subject][metric]) : "")),
  ]);
  return grid([head, ...rows]);
}

/** Ours per second in each cell, and over `subject`. */
function matrixTable(summary, subject) {
  if (!summary[cell(MATRIX.connections[0], MATRIX.integrations[0])]?.ratios[subject]) return "";
  const head = [
    `accepted per second, over ${SUBJECTS[subject].title}`,
    ...MATRIX.integrations.map((count) => many(count, "integration")),
  ];
  const rows = MATRIX.connections.map((connections) => [
    `  ${many(connections, "connection")}`,
    ...MATRIX.integrations.map((integrations) => {
      const { medians, ratios } = summary[cell(connections, integrations)];
      return `${short(medians.ours.per_s)}  ${spread(ratios[subject].per_s)}`;
    }),
  ]);
  return grid([head, ...rows]);
}

/** What a reader needs to believe the rest. */
function trust({ cases, machine, versions, state, plan, minutes }) {
  const all = Object.values(cases).flatMap((subjects) => Object.values(subjects).flat());
  const loads = all.filter((one) => one.generator_cpu_ms !== undefined);
  const says = [
    `${machine.processor}, ${machine.cores} cores; workerd ${versions.workerd}; state ${state};`,
    `${many(plan.rounds, "round")} of slices of time, subjects in turn, ${minutes.toFixed(1)} minutes in all. Values are`,
    "medians, ratios medians of the slices' ratios, with what the middle half of them lies between.",
  ];
  if (loads.length) {
    const generator = median(loads.map((one) => (one.generator_cpu_ms / one.done) * 1000));
    const host = median(loads.map((one) => (one.host_cpu_ms / one.done) * 1000));
    const others = loads.map((one) => (one.others_cpu_ms / one.elapsed_ms) * 100);
    says.push(
      `Beside workerd, each request took ${Math.round(generator)} µs of the load generator and ${Math.round(host)} µs of Miniflare's host.`,
      `Other programs took ${Math.round(median(others))} % of a core (median; ${Math.round(Math.max(...others))} % at the most).`,
    );
    if (Math.max(...others) > 15)
      says.push("That is too much: times and rates are not to be trusted, CPU and ratios only roughly.");
  }
  return says.join("\n");
}
