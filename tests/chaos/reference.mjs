// What D1 must hold: the facts of a ledger, folded one by one in its order, the slow and obvious way.
// It reads no body and none of the product's code: it goes by what the provider meant.

/**
 * Folds `entries`, each `{ seq, received_at, fact }`. Gives the records by "model/id", and the first
 * and last end of a synchronisation, ms.
 */
export function fold(entries) {
  const records = new Map();
  const synced_ms = [];
  for (const { seq, received_at, fact } of entries) {
    const { model, id, change, synced, at } = fact.meaning;
    const time_ms = Date.parse(at ?? received_at);
    if (synced) synced_ms.push(time_ms);
    if (!change) continue;
    const name = `${model}/${id}`;
    const known = records.get(name);
    // Whole objects say when they were true: an older one changes nothing.
    if (change.whole && known && known.time_ms >= time_ms) continue;
    records.set(name, { ...changed(known, change), version: seq, time_ms });
  }
  const [first, last] = [Math.min(...synced_ms), Math.max(...synced_ms)];
  return { records, synced_ms: synced_ms.length ? { first, last } : undefined };
}

function changed(known = { fields: {}, partial: true, drift: false }, { whole, sparse, previous, next }) {
  if (whole) return { fields: { ...whole }, partial: false, drift: false };
  const said = sparse ?? previous;
  const names = Object.keys(said);
  const isContradicted = names.some((name) => name in known.fields && known.fields[name] !== said[name]);
  const nothing = Object.fromEntries(names.map((name) => [name, "null"]));
  return {
    fields: { ...known.fields, ...nothing, ...(sparse ?? next) },
    partial: known.partial,
    drift: known.drift || isContradicted,
  };
}
