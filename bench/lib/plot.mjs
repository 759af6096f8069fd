// The plot of the benchmark. Bars are medians, dots are rounds.

import { cell, MATRIX } from "./measures.mjs";
import { many, median, short } from "./numbers.mjs";
import { goals, verdict } from "./report.mjs";
import { SUBJECTS } from "./subjects.mjs";
import { bars, Drawing } from "./svg.mjs";

const WIDTH = 1000;
const LEFT = 24;
const GAP = 24;
const COLUMN = (WIDTH - 2 * LEFT - GAP) / 2;

const AT_ONCE = "200 to the row in D1, batches not waited for";
const PANELS = [
  ["accepted", "per_s", "New webhooks accepted", "per second"],
  ["accepted", "p99_ms", "Answer to a new webhook, p99", "ms"],
  ["duplicates", "per_s", "Duplicates answered", "per second"],
  ["401s", "per_s", "401s answered", "per second"],
  ["accepted, bodies of 3 KB", "per_s", "New webhooks of 3 KB", "per second"],
  ["accepted, bodies of 100 KB", "per_s", "New webhooks of 100 KB", "per second"],
  ["backlog", "per_s", "Records into D1 while a backlog drains", "per second"],
  ["backlog", "cpu_us_each", "CPU of workerd for each of them", "µs"],
  ["200 to the row in D1", "p50_ms", "A lone event's row in D1 after its 200, p50", "ms"],
  [AT_ONCE, "p50_ms", "The same, batches not waited for, p50", "ms"],
  ["accepted", "cpu_us_each", "CPU of workerd for a new webhook", "µs"],
  ["accepted", "whole_cpu_us_each", "The same, until its record is in D1", "µs"],
];

function panel(name, metric, title, unit, { cases, summary }) {
  const subjects = cases[name];
  if (!subjects) return null;
  const { medians, ratios } = summary[name];
  const rows = Object.keys(SUBJECTS)
    .filter((subject) => medians[subject]?.[metric] !== undefined)
    .map((subject) => {
      const ratio = ratios[subject]?.[metric];
      const value = medians[subject][metric];
      return {
        label: SUBJECTS[subject].title,
        style: subject,
        value,
        dots: subjects[subject].map((slice) => slice[metric]),
        note: `${short(value)}${ratio ? ` · ours ${ratio.median.toFixed(2)}×` : ""}`,
      };
    });
  return rows.length ? { title, unit, rows } : null;
}

function starting({ starts }) {
  const rows = Object.keys(SUBJECTS)
    .filter((subject) => starts[subject])
    .map((subject) => ({
      label: SUBJECTS[subject].title,
      style: subject,
      value: median(starts[subject]),
      dots: starts[subject],
      note: short(median(starts[subject])),
    }));
  return { title: "From start to the first answer", unit: "ms", rows };
}

/** Ours over `subject` in each cell, coloured by which is faster. */
function matrix(drawing, { summary }, subject, x, y) {
  if (!summary[cell(MATRIX.connections[0], MATRIX.integrations[0])]?.ratios[subject]) return 0;
  const label = 92;
  const width = (COLUMN - label) / MATRIX.integrations.length;
  const height = 44;
  drawing.text(x, y, `Accepted per second, and over ${SUBJECTS[subject].title}`, "head");
  MATRIX.integrations.forEach((integrations, column) => {
    const left = x + label + column * width;
    drawing.text(left + width / 2, y + 22, many(integrations, "integration"), "faint middle");
    MATRIX.connections.forEach((connections, row) => {
      const top = y + 30 + row * height;
      const { medians, ratios } = summary[cell(connections, integrations)];
      const { median: ratio } = ratios[subject].per_s;
      drawing.rect(
        left + 2,
        top + 2,
        width - 4,
        height - 4,
        ratio >= 1.05 ? "better" : ratio <= 0.95 ? "worse" : "even",
        4,
      );
      drawing.text(left + width / 2, top + 19, `${ratio.toFixed(2)}×`, "head middle");
      drawing.text(left + width / 2, top + 34, `${short(medians.ours.per_s)}/s`, "faint middle");
    });
  });
  MATRIX.connections.forEach((connections, row) => {
    drawing.text(x + label - 8, y + 30 + (row + 0.5) * height + 4, `${connections} conn.`, "text end");
  });
  return MATRIX.connections.length * height + 64;
}

export function plot(results) {
  const drawing = new Drawing();
  const { at, machine, plan, versions } = results;
  drawing.text(LEFT, 34, "Leasewire beside its JavaScript twin", "title");
  drawing.text(
    LEFT,
    54,
    `One workerd ${versions.workerd}, ${machine.cores} cores of ${machine.processor}, ${at.slice(0, 10)}. ` +
      `Bars are medians, dots are slices of time in ${many(plan.rounds, "round")}.`,
    "faint",
  );
  let y = 92;
  const panels = [...PANELS.map((one) => panel(...one, results)), starting(results)].filter(Boolean);
  for (let at = 0; at < panels.length; at += 2) {
    const heights = panels
      .slice(at, at + 2)
      .map((one, column) => bars(drawing, { ...one, x: LEFT + column * (COLUMN + GAP), y, width: COLUMN }));
    y += Math.max(...heights) + 12;
  }
  y += Math.max(
    ...["twin", "insert"].map((subject, column) =>
      matrix(drawing, results, subject, LEFT + column * (COLUMN + GAP), y),
    ),
  );
  for (const { title, wanted, measured, met } of goals(results)) {
    drawing.text(LEFT, y, verdict(met), met ? "met" : met === null ? "faint" : "missed");
    drawing.text(LEFT + 96, y, `${title}: ${measured ?? "–"}, wanted ${wanted}`);
    y += 20;
  }
  return drawing.svg(WIDTH, y + 8, "Leasewire beside its JavaScript twin");
}
