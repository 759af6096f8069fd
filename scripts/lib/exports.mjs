// Takes exports out of a wasm module, so that wasm-opt can drop what only they led to. The crates of
// the SDK export classes that nothing here makes.

const EXPORT_SECTION = 7;

/** `wasm` without the exports whose name `isUsed` refuses; the rest stays byte for byte. */
export function keepExports(wasm, isUsed) {
  const reader = new Reader(wasm, 8);
  const parts = [wasm.subarray(0, 8)];
  while (reader.at < wasm.length) {
    const from = reader.at;
    const id = reader.byte();
    const end = reader.number() + reader.at;
    if (id === EXPORT_SECTION) {
      const section = filtered(reader, isUsed);
      parts.push(Buffer.from([id]), number(section.length), section);
    } else {
      parts.push(wasm.subarray(from, end));
    }
    reader.at = end;
  }
  return Buffer.concat(parts);
}

/** The entries of the export section: a name, a kind and an index each. */
function filtered(reader, isUsed) {
  const kept = [];
  for (let count = reader.number(); count > 0; count -= 1) {
    const from = reader.at;
    const name = reader.text();
    reader.byte();
    reader.number();
    if (isUsed(name)) kept.push(reader.bytes.subarray(from, reader.at));
  }
  return Buffer.concat([number(kept.length), ...kept]);
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
