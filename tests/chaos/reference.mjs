// What D1 must hold: the facts of a ledger, folded one by one in its order, the slow and obvious way.
// It reads no body and none of the product's code: it goes by what the provider meant.

/**
 * Folds `entries`, each `{ seq, received_at, fact }`. Gives the records by "model/id", the first and
 * last end of a synchronisation, ms, and how often each unit was occupied and vacated.
 */
export function fold(entries) {
  const records = new Map();
  const states = new Map();
  const synced_ms = [];
  for (const { seq, received_at, fact } of entries) {
    const { model, id, change, synced, at } = fact.meaning;
    const time_ms = Date.parse(at ?? received_at);
    if (synced) synced_ms.push(time_ms);
    if (!change) continue;
    const name = `${model}/${id}`;
    const known = records.get(name);
    if (model === "units") {
      if (!states.has(name)) states.set(name, []);
      states.get(name).push(...said(known, change, time_ms));
    }
    // Whole objects say when they were true: an older one changes nothing.
    if (change.whole && known && known.time_ms >= time_ms) continue;
    records.set(name, { ...changed(known, change), version: seq, time_ms });
  }
  const [first, last] = [Math.min(...synced_ms), Math.max(...synced_ms)];
  const notices = new Map([...states].map(([name, points]) => [name, turns(points)]));
  return { records, synced_ms: synced_ms.length ? { first, last } : undefined, notices };
}

/**
 * What an event says of a unit, as JSON text of `is_vacant`: in the order of time where it has one,
 * else each change by itself. A new record's fields are its oldest, so late ones say nothing.
 */
function said(known, { whole, before, sparse, previous, next }, at) {
  if (whole) return [before.is_vacant, whole.is_vacant].filter(Boolean).map((state) => ({ at, state }));
  if (sparse && known) return [];
  const last = known?.fields.is_vacant;
  const state = (sparse ?? next).is_vacant ?? last;
  return [{ at: null, before: previous?.is_vacant ?? last, state }];
}

/** How often a unit was occupied and vacated. */
function turns(points) {
  const isTimed = points.every(({ at }) => at !== null);
  const inOrder = isTimed ? points.toSorted((a, b) => a.at - b.at) : points;
  const counts = { "unit.occupied": 0, "unit.vacated": 0 };
  inOrder.forEach(({ before, state }, at) => {
    const was = isTimed ? inOrder[at - 1]?.state : before;
    if (was === undefined || state === undefined || was === state) return;
    counts[state === "true" ? "unit.vacated" : "unit.occupied"] += 1;
  });
  return counts;
}

const nothing = { fields: {}, partial: true, drifted: [] };

function changed({ fields, partial, drifted } = nothing, { whole, sparse, previous, next }) {
  if (whole) return { fields: { ...whole }, partial: false, drifted: [] };
  // What is new tells what isn't known yet.
  if (sparse) return { fields: { ...sparse, ...fields }, partial, drifted };
  const after = (name) => next[name] ?? "null";
  const isContradicted = (name) =>
    name in fields && ![previous[name], after(name)].includes(fields[name]);
  const names = Object.keys(previous);
  const agrees = (name) => name in previous && fields[name] === previous[name];
  return {
    fields: { ...fields, ...Object.fromEntries(names.map((name) => [name, after(name)])), ...next },
    partial,
    drifted: [...drifted.filter((name) => !agrees(name)), ...names.filter(isContradicted)],
  };
}
