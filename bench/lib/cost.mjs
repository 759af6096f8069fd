// Dollars from counts: what was counted, times the list price.

import { readFileSync } from "node:fs";

import { inBench } from "./paths.mjs";

export const PRICES = JSON.parse(readFileSync(inBench("prices.json"), "utf8"));

const MILLION = 1_000_000;
/** What a Durable Object is taken for, whatever it uses. */
const OBJECT_GB = 0.128;

/** What is billed: how much of it there is in some counts, and at which price. */
export const ITEMS = [
  { title: "Worker requests", price: "request", of: ({ requests }) => requests },
  { title: "CPU, at the most", price: "cpu_ms", of: ({ cpu_ms }) => cpu_ms },
  { title: "ledger calls", price: "object_request", of: ({ object_requests }) => object_requests },
  { title: "ledger alarms gone off", price: "object_request", of: ({ alarms }) => alarms },
  { title: "ledger awake", price: "object_gb_s", of: ({ awake_ms }) => (awake_ms / 1000) * OBJECT_GB },
  { title: "ledger rows written", price: "row_written", of: (counts) => counts.rows_written - counts.history_rows },
  { title: "ledger alarms set", price: "row_written", of: ({ alarms_set }) => alarms_set },
  { title: "history", price: "row_written", of: ({ history_rows }) => history_rows },
  { title: "ledger rows read", price: "row_read", of: ({ rows_read }) => rows_read },
  {
    title: "queue operations",
    price: "queue_operation",
    of: ({ queue_writes, queue_reads, queue_deletes }) => queue_writes + queue_reads + queue_deletes,
  },
  { title: "D1 rows written", price: "d1_row_written", of: ({ d1_rows_written }) => d1_rows_written },
  { title: "D1 rows read", price: "d1_row_read", of: ({ d1_rows_read }) => d1_rows_read },
];

/** What may be billed besides: the user's choice, or not told by the price list. */
export const BESIDE = [
  { title: "log lines, if kept", price: "log_line", of: ({ log_lines }) => log_lines },
  { title: "consumer runs, were they requests", price: "request", of: ({ consumer_calls }) => consumer_calls },
];

// What is asked for besides has none.
const GOALS = { busy: 3.75, "usual, hydrated": undefined, usual: 6.5, duplicate: 0.6, 401: 0.35, silent: 0 };

/** The goal for the case called `name`, which begins with the goal's own name. */
export const goalOf = (name) => GOALS[Object.keys(GOALS).find((goal) => name.startsWith(goal))];

function lines(items, counts, webhooks) {
  const priced = items.map(({ title, price, of }) => {
    const { usd, per } = PRICES.prices[price];
    const each = of(counts) / webhooks;
    return [title, { each, usd: each * (usd / per) * MILLION }];
  });
  return Object.fromEntries(priced);
}

/** What a million webhooks cost, given the counts of `webhooks` of them, and of what that is made. */
export function costOf(counts, webhooks) {
  const items = lines(ITEMS, counts, webhooks);
  const usd = Object.values(items).reduce((sum, item) => sum + item.usd, 0);
  return { webhooks, usd, items, beside: lines(BESIDE, counts, webhooks), counts };
}

/** Whether a case keeps its goal; a refused webhook, besides, must not reach a ledger. */
export function isMet(name, { usd, counts }) {
  if (name === "401" && counts.object_requests > 0) return false;
  return usd <= goalOf(name);
}
