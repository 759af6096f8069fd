// Medians and the like, and how numbers are written.

/** The value below which the part `q` of all `values` lies. */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `1234567` as `1,234,567`, with so many digits behind the point. */
export const readable = (value, digits = 0) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** With three significant digits, or all that are before the point. */
export const short = (value) => readable(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);

export const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
