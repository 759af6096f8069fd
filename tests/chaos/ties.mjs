// Which of several whole objects of one time came first, the slow and obvious way.

const fieldOf = (fields, name) => fields[name] ?? "null";

/**
 * 0 if before `one` there was something else than `other`, or it doesn't say; 1 if what changed was as
 * `other` has it; 2 if all was.
 */
function follows(one, other) {
  const changed = Object.keys(one.before).filter((name) => one.before[name] !== fieldOf(one.whole, name));
  const was = { ...one.whole, ...one.before };
  const isBefore = (name) => fieldOf(was, name) === fieldOf(other.whole, name);
  if (!changed.length || !changed.every(isBefore)) return 0;
  return Object.keys({ ...one.whole, ...other.whole }).every(isBefore) ? 2 : 1;
}

/** `tied`, in the order of arrival, with the oldest first. */
export function inOrder(tied) {
  const fits = new Map(
    tied.map((one) => {
      const of = new Map(tied.map((other) => [other, one === other ? 0 : follows(one, other)]));
      const best = Math.max(...of.values());
      return [one, (other) => (of.get(other) === best ? best : 0)];
    }),
  );
  const ordered = [];
  let left = tied;
  const keepLeast = (some, cost) => {
    const least = Math.min(...some.map(cost));
    return some.filter((one) => cost(one) === least);
  };
  while (left.length) {
    const last = ordered.at(-1);
    let first = keepLeast(left, (one) => Math.max(...left.map((other) => fits.get(one)(other))));
    first = keepLeast(first, ({ isCreation }) => (isCreation ? 0 : 1));
    if (last) first = keepLeast(first, (one) => -fits.get(one)(last));
    ordered.push(first[0]);
    left = left.filter((one) => one !== first[0]);
  }
  return ordered;
}
