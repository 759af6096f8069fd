// JSON whose numbers are compared as they are written: 750000.0 is not 750000 here, and integers
// above 2^53 keep every digit.

class Exact {
  constructor(text) {
    this.text = text;
  }
}

/** Reads JSON with every number as its text, for deepEqual. The order of keys doesn't count. */
export const exact = (text) =>
  JSON.parse(text, (_key, value, { source }) => (typeof value === "number" ? new Exact(source) : value));
