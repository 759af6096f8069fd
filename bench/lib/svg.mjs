// Drawing: text, bars, axes and lines, in colours for light and dark. Observable Plot with a light DOM
// would be 56 packages of 16 MB for the 80 lines of `ticks`, `bars` and `lines`: how the panels stand on
// one page, the matrix, the goals and the dark colours would stay as they are.

import { readable } from "./numbers.mjs";

const STYLE = `
  svg { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
  .page { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e; font-size: 12px }
  .title { fill: #1f2328; font-size: 18px; font-weight: 600 } .head { fill: #1f2328; font-weight: 600 }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .grid { stroke: #d8dee4; stroke-width: 1 } .dot { fill: #ffffff; stroke: #1f2328; stroke-width: 1 }
  .ours { fill: #d9480f } .twin { fill: #1c7ed6 } .insert { fill: #868e96 } .answer { fill: #ced4da } .other { fill: #ffc078 }
  .met { fill: #2b8a3e; font-weight: 600 } .missed { fill: #c92a2a; font-weight: 600 }
  .better { fill: #d3f9d8 } .worse { fill: #ffe3e3 } .even { fill: #f1f3f5 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  .one { stroke: #d9480f } .two { stroke: #1c7ed6 } .three { stroke: #868e96 } .four { stroke: #2b8a3e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .text, .title, .head { fill: #e6edf3 } .faint { fill: #9198a1 }
    .grid { stroke: #30363d } .dot { fill: #0d1117; stroke: #e6edf3 }
    .ours { fill: #fd7e14 } .twin { fill: #4dabf7 } .insert { fill: #868e96 } .answer { fill: #495057 } .other { fill: #9c5a1c }
    .met { fill: #69db7c } .missed { fill: #ff8787 }
    .better { fill: #14351d } .worse { fill: #471d1d } .even { fill: #21262d }
    .one { stroke: #fd7e14 } .two { stroke: #4dabf7 } .three { stroke: #868e96 } .four { stroke: #69db7c }
  }`;

const escaped = (text) => String(text).replace(/[&<>]/g, (mark) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[mark]);
const at = (value) => Number(value.toFixed(1));

/** Steps of 1, 2 or 5 from 0 to at least `max`, about `count` of them. */
export function ticks(max, count = 4) {
  if (!(max > 0)) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(max / count));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step * count >= max);
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_item, n) => n * step);
}

export const tickText = (value) => readable(value, Number.isInteger(value) ? 0 : value < 0.1 ? 2 : 1);

export class Drawing {
  #parts = [];

  text(x, y, content, style = "text") {
    this.#parts.push(`<text x="${at(x)}" y="${at(y)}" class="${style}">${escaped(content)}</text>`);
  }

  rect(x, y, width, height, style, round = 2) {
    this.#parts.push(
      `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="${round}" class="${style}"/>`,
    );
  }

  line(x1, y1, x2, y2, style = "grid") {
    this.#parts.push(`<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" class="${style}"/>`);
  }

  dot(x, y, r = 2.5) {
    this.#parts.push(`<circle cx="${at(x)}" cy="${at(y)}" r="${r}" class="dot"/>`);
  }

  path(points, style) {
    const d = points.map(([x, y], n) => `${n ? "L" : "M"}${at(x)} ${at(y)}`).join("");
    this.#parts.push(`<path d="${d}" class="line ${style}"/>`);
  }

  /** The whole picture; `title` is read to those who don't see it. */
  svg(width, height, title) {
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${Math.ceil(height)}" width="${width}" height="${Math.ceil(height)}" role="img">
<title>${escaped(title)}</title>
<style>${STYLE}
</style>
<rect width="100%" height="100%" class="page"/>
${this.#parts.join("\n")}
</svg>
`;
  }
}

const ROW = 22;
const LABEL = 98;
// For what is written behind the longest bar.
const NOTE = 128;

/**
 * Bars with an axis. `rows`: each a `label`, a `style`, the bar's `value`, `dots`, and a `note` behind
 * it. Gives the height.
 */
export function bars(drawing, { x, y, width, title, unit, rows }) {
  const left = x + LABEL;
  const all = ticks(Math.max(...rows.flatMap(({ value, dots = [] }) => [value, ...dots])), 3);
  const scale = (width - LABEL - NOTE) / all.at(-1);
  const top = y + 12;
  const bottom = top + rows.length * ROW;
  drawing.text(x, y, title, "head");
  for (const tick of all) {
    drawing.line(left + tick * scale, top, left + tick * scale, bottom);
    drawing.text(left + tick * scale, bottom + 15, tickText(tick), "faint middle");
  }
  drawing.text(left + all.at(-1) * scale + 10 + 4 * tickText(all.at(-1)).length, bottom + 15, unit, "faint");
  rows.forEach(({ label, style, value, dots = [], note }, row) => {
    const middle = top + (row + 0.5) * ROW;
    drawing.text(left - 8, middle + 4, label, "text end");
    drawing.rect(left, middle - 8, Math.max(1, value * scale), 16, style);
    for (const dot of dots) drawing.dot(left + dot * scale, middle);
    drawing.text(left + Math.max(value, ...dots) * scale + 8, middle + 4, note);
  });
  return rows.length * ROW + 46;
}

/** Lines over a common axis. `lines`: each a `label`, a `style` and `points`. Gives the height. */
export function lines(drawing, { x, y, width, height, title, unit, xUnit, lines }) {
  const points = lines.flatMap((line) => line.points);
  const xs = ticks(Math.max(...points.map(([value]) => value)), 6);
  const ys = ticks(Math.max(...points.map(([, value]) => value)), 4);
  const left = x + 52;
  const top = y + 36;
  const right = x + width - 16;
  const xOf = (value) => left + (value / xs.at(-1)) * (right - left);
  const yOf = (value) => top + height - (value / ys.at(-1)) * height;
  drawing.text(x, y, `${title}, ${unit}`, "head");
  let legend = left;
  for (const { label, style } of lines) {
    drawing.path(
      [
        [legend, y + 18],
        [legend + 18, y + 18],
      ],
      style,
    );
    drawing.text(legend + 24, y + 22, label, "faint");
    legend += 24 + label.length * 6.6 + 24;
  }
  for (const tick of ys) {
    drawing.line(left, yOf(tick), right, yOf(tick));
    drawing.text(left - 8, yOf(tick) + 4, tickText(tick), "faint end");
  }
  for (const tick of xs) drawing.text(xOf(tick), top + height + 16, tickText(tick), "faint middle");
  drawing.text((left + right) / 2, top + height + 32, xUnit, "faint middle");
  for (const line of lines)
    drawing.path(
      line.points.map(([a, b]) => [xOf(a), yOf(b)]),
      line.style,
    );
  return height + 96;
}
