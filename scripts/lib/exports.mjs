// Takes out of a wasm module what leads to functions that nobody needs, so that wasm-opt can drop them. The
// crates of the SDK export classes that nothing here makes.

const CUSTOM_SECTION = 0;
const EXPORT_SECTION = 7;
const ELEMENT_SECTION = 9;
/** In the section of names: those of functions. */
const FUNCTION_NAMES = 1;

/** `wasm` without the exports whose name `isUsed` refuses. */
export const keepExports = (wasm, isUsed) =>
  change(wasm, EXPORT_SECTION, (reader) => {
    const kept = [];
    for (let count = reader.number(); count > 0; count -= 1) {
      const from = reader.at;
      const name = reader.text();
      reader.byte();
      reader.number();
      if (isUsed(name)) kept.push(reader.bytes.subarray(from, reader.at));
    }
    return Buffer.concat([number(kept.length), ...kept]);
  });

/**
 * `wasm` without the functions in its table whose name `isUsed` refuses: another one takes the place
 * of each. Only those may be refused that are never called.
 */
export function keepInTable(wasm, isUsed) {
  const names = functionNames(wasm);
  return change(wasm, ELEMENT_SECTION, (reader) => {
    const from = reader.at;
    const segments = reader.number();
    const kind = reader.number();
    if (segments !== 1 || kind !== 0)
      throw new Error("the table is filled in a way that scripts/lib/exports.mjs doesn't know");
    // Where it begins: a constant.
    reader.byte();
    reader.number();
    reader.byte();
    const head = reader.bytes.subarray(from, reader.at);
    const functions = Array.from({ length: reader.number() }, () => reader.number());
    const used = (index) => isUsed(names.get(index) ?? "");
    const other = functions.find(used);
    const kept = functions.map((index) => number(used(index) ? index : other));
    return Buffer.concat([head, number(functions.length), ...kept]);
  });
}

/** Names of functions, by their index. */
function functionNames(wasm) {
  const names = new Map();
  for (const { id, from, end } of sections(wasm)) {
    const reader = new Reader(wasm, from);
    if (id !== CUSTOM_SECTION || reader.text() !== "name") continue;
    while (reader.at < end) {
      const kind = reader.byte();
      const next = reader.number() + reader.at;
      if (kind === FUNCTION_NAMES) {
        for (let count = reader.number(); count > 0; count -= 1) names.set(reader.number(), reader.text());
      }
      reader.at = next;
    }
  }
  return names;
}

/** `wasm` with what `work` makes of the section `wanted`; the rest stays byte for byte. */
function change(wasm, wanted, work) {
  const parts = [wasm.subarray(0, HEAD_BYTES)];
  for (const { id, start, from, end } of sections(wasm)) {
    if (id === wanted) {
      const section = work(new Reader(wasm, from));
      parts.push(Buffer.from([id]), number(section.length), section);
    } else {
      parts.push(wasm.subarray(start, end));
    }
  }
  return Buffer.concat(parts);
}

/** Magic and version. */
const HEAD_BYTES = 8;

/** Each section: its id, and where it, its content and the next one begin. */
function* sections(wasm) {
  const reader = new Reader(wasm, HEAD_BYTES);
  while (reader.at < wasm.length) {
    const start = reader.at;
    const id = reader.byte();
    const end = reader.number() + reader.at;
    yield { id, start, from: reader.at, end };
    reader.at = end;
  }
}

class Reader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** LEB128, as all numbers in a module. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  text() {
    const length = this.number();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }
}

function number(value) {
  const bytes = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
