// What a soak was to show, and whether it did.

import { median, readable, short } from "./numbers.mjs";
import { grid, verdict } from "./report.mjs";

/** Of all parts: what comes before is a warm-up, compilers and caches. */
const WARM_UP = 0.1;
const TENTH = 0.1;
const SLOWER_MAX = 1.2;
/** Memory has levelled off if, by the line that fits best, the last third of the run added less. */
const GROWTH_MAX = 0.05;
/**
 * Wasm memory grows by pages and never shrinks: it is as large as the busiest moment needed. In the
 * whole run's last 100,000 webhooks, four pages are 3 bytes each.
 */
const WASM_BYTES_MAX = 4 * 65_536;

const MB = 1_000_000;

/** Medians of what `of` gives of a part, at the beginning after the warm-up, and at the end. */
function ends(parts, of) {
  const count = Math.max(1, Math.round(parts.length * TENTH));
  const first = Math.round(parts.length * WARM_UP);
  return [parts.slice(first, first + count), parts.slice(-count)].map((some) => median(some.map(of)));
}

const lastThird = (parts, metric) => parts.slice(-Math.ceil(parts.length / 3)).map((part) => part[metric]);

/** How much of its value a metric gained over the last third, by least squares. */
function growth(parts, metric) {
  const third = lastThird(parts, metric);
  const mean = third.reduce((sum, value) => sum + value, 0) / third.length;
  const centre = (third.length - 1) / 2;
  let over = 0;
  let under = 0;
  third.forEach((value, at) => {
    over += (at - centre) * (value - mean);
    under += (at - centre) ** 2;
  });
  const rise = under ? (over / under) * (third.length - 1) : 0;
  return rise / (mean - rise / 2 || 1);
}

export function judge({ parts, failures }) {
  // In the floor's times, seconds apart: so the machine's own pace cancels out.
  const slower = (metric, title, unit) => {
    const [first, last] = ends(parts, (part) => part[metric] / part.floor_p50_ms);
    const values = ends(parts, (part) => part[metric]).map(short);
    const measured = `${(last / first).toFixed(2)}× (${values[0]} ${unit}, then ${values[1]} ${unit})`;
    return {
      title: `${title}, last tenth to first`,
      wanted: `≤ ${SLOWER_MAX}×`,
      measured,
      met: last / first <= SLOWER_MAX,
    };
  };
  const level = (metric, title) => {
    const rise = growth(parts, metric);
    const measured = `${(rise * 100).toFixed(1)} % (${short(parts.at(-1)[metric] / MB)} MB at the end)`;
    return { title, wanted: `≤ ${GROWTH_MAX * 100} %`, measured, met: rise <= GROWTH_MAX };
  };
  const wasm = () => {
    const third = lastThird(parts, "wasm_bytes");
    const rise = third.at(-1) - third[0];
    return {
      title: "wasm memory, growth in the last third",
      wanted: `≤ ${WASM_BYTES_MAX / 1024} KiB`,
      measured: `${rise / 1024} KiB (${short(third.at(-1) / MB)} MB at the end)`,
      met: rise <= WASM_BYTES_MAX,
    };
  };
  return [
    { title: "failures", wanted: "0", measured: `${failures.length}`, met: failures.length === 0 },
    ...(parts.length
      ? [
          slower("quiet_p50_ms", "p50 in the floor's", "ms"),
          slower("quiet_p99_ms", "p99 in the floor's p50", "ms"),
          slower("cpu_us_each", "CPU under load in the floor's p50", "µs each"),
          wasm(),
          level("rss_bytes", "resident size of workerd, growth in the last third"),
        ]
      : []),
  ];
}

const STEPS = 10;

export function table({ parts, goals, failures, webhooks, minutes, per_s }) {
  const some = parts.filter((_part, at) => (at + 1) % Math.ceil(parts.length / STEPS) === 0);
  const rows = some.map((part) => [
    readable(part.webhooks),
    ...["rss_bytes", "anonymous_bytes", "heap_bytes", "wasm_bytes"].map((metric) => short(part[metric] / MB)),
    ...["p50_ms", "p99_ms", "cpu_us_each", "lag_events", "waited_ms"].map((metric) => short(part[metric])),
    ...["quiet_p50_ms", "quiet_p99_ms", "floor_p50_ms"].map((metric) => short(part[metric])),
  ]);
  const head = [
    ...["webhooks", "RSS MB", "anonymous", "JS heap", "wasm MB"],
    ...["load: p50 ms", "p99 ms", "CPU µs each", "lag events", "waited ms"],
    ...["alone: p50 ms", "p99 ms", "floor p50"],
  ];
  const others = parts.map((part) => part.others_cores * 100);
  return [
    grid([head, ...rows]),
    failures.slice(0, 5).join("\n"),
    grid([
      ["goal", "wanted", "measured", ""],
      ...goals.map(({ title, wanted, measured, met }) => [`  ${title}`, wanted, measured, verdict(met)]),
    ]),
    `${readable(webhooks)} webhooks, ${readable(per_s)} due in a second, ${minutes.toFixed(1)} minutes. Other programs took ` +
      `${Math.round(median(others))} % of a core (median; ${Math.round(Math.max(...others))} % at the most).`,
  ]
    .filter(Boolean)
    .join("\n\n");
}
