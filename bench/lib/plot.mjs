// The plot: for each case, what each subject does in a second. Bars are medians, dots are rounds.

import { SUBJECTS } from "./subjects.mjs";

const COLORS = { ours: "#c2410c", twin: "#1d4ed8", insert: "#64748b", answer: "#cbd5e1" };
const WIDTH = 860;
const LEFT = 150;
const ROW = 22;
const TOP = 46;

const escape = (text) => text.replace(/[&<>]/g, (mark) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[mark]);

export function plot({ cases, summary, at }) {
  const parts = [];
  let y = TOP;
  const text = (x, atY, content, more = "") =>
    parts.push(`<text x="${x}" y="${atY}" font-size="13" ${more}>${escape(content)}</text>`);
  for (const [name, subjects] of Object.entries(cases)) {
    text(12, y + 14, name, 'font-weight="600"');
    y += ROW;
    const all = Object.values(subjects).flat().map(({ per_s }) => per_s);
    const scale = (WIDTH - LEFT - 190) / Math.max(...all);
    for (const [subject, rounds] of Object.entries(subjects)) {
      const middle = summary[name].medians[subject].per_s;
      const length = middle * scale;
      text(24, y + 15, SUBJECTS[subject].title);
      parts.push(`<rect x="${LEFT}" y="${y + 3}" width="${length.toFixed(1)}" height="16" fill="${COLORS[subject]}"/>`);
      for (const { per_s } of rounds) {
        parts.push(`<circle cx="${(LEFT + per_s * scale).toFixed(1)}" cy="${y + 11}" r="2.5" fill="#fff" stroke="#111"/>`);
      }
      const ratio = summary[name].ratios[subject]?.per_s;
      const label = `${Math.round(middle)}/s${ratio ? `, ours is ${ratio.median.toFixed(2)}×` : ""}`;
      text(LEFT + Math.max(length, ...rounds.map(({ per_s }) => per_s * scale)) + 8, y + 15, label);
      y += ROW;
    }
    y += 14;
  }
  const title = `Webhooks per second, one workerd on one machine, ${at.slice(0, 10)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 8}" width="${WIDTH}" height="${y + 8}" font-family="system-ui, sans-serif" fill="#111">
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="26" font-size="16" font-weight="600">${escape(title)}</text>
${parts.join("\n")}
</svg>
`;
}
