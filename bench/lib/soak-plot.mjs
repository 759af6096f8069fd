// The plot of a soak: memory and answer times over the webhooks.

import { readable } from "./numbers.mjs";
import { verdict } from "./report.mjs";
import { SUBJECTS } from "./subjects.mjs";
import { Drawing, lines } from "./svg.mjs";

const WIDTH = 860;
const LEFT = 24;
const HEIGHT = 190;

export function plot({ subject, webhooks, integrations, parts, goals, at }) {
  const drawing = new Drawing();
  const title = `${readable(webhooks)} webhooks through one isolate, ${integrations} integrations`;
  drawing.text(LEFT, 34, title, "title");
  drawing.text(
    LEFT,
    54,
    `${SUBJECTS[subject].title}, ${at.slice(0, 10)}; each point is ${readable(parts[0]?.webhooks ?? 0)} webhooks`,
    "faint",
  );
  let y = 88;
  const chart = (title, unit, some) => {
    const all = some.map(([label, style, of]) => ({
      label,
      style,
      points: parts.map((part) => [part.webhooks, of(part)]),
    }));
    y += lines(drawing, {
      x: LEFT,
      y,
      width: WIDTH - 2 * LEFT,
      height: HEIGHT,
      title,
      unit,
      xUnit: "webhooks",
      lines: all,
    });
  };
  if (parts.length) {
    chart("Memory of workerd", "MB", [
      ["resident", "one", (part) => part.rss_bytes / 1e6],
      ["of it anonymous", "three", (part) => part.anonymous_bytes / 1e6],
    ]);
    chart("Memory of the isolate", "MB", [
      ["wasm", "one", (part) => part.wasm_bytes / 1e6],
      ["JavaScript heap", "two", (part) => part.heap_bytes / 1e6],
    ]);
    chart("Time to the answer, one webhook after the other", "ms", [
      ["p50", "one", (part) => part.quiet_p50_ms],
      ["p99", "two", (part) => part.quiet_p99_ms],
      ["the floor's p50", "three", (part) => part.floor_p50_ms],
    ]);
    chart("Time to the answer under load", "ms", [
      ["p50", "one", (part) => part.p50_ms],
      ["p99", "two", (part) => part.p99_ms],
    ]);
    chart("Processor time of a webhook under load", "ms", [["workerd", "one", (part) => part.cpu_us_each / 1000]]);
  }
  for (const { title, wanted, measured, met } of goals) {
    drawing.text(LEFT, y, verdict(met), met ? "met" : "missed");
    drawing.text(LEFT + 70, y, `${title}: ${measured}, wanted ${wanted}`);
    y += 20;
  }
  return drawing.svg(WIDTH, y + 8, title);
}
