// How much memory a subject takes, seen from outside: nothing in it knows.

import { readFileSync } from "node:fs";

/** Bytes that a process has in memory: all, and what is its own and no file's. */
export function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (name) => Number(status.match(new RegExp(`^${name}:\\s*(\\d+) kB`, "m"))[1]) * 1024;
  return { rss_bytes: bytes("VmRSS"), anonymous_bytes: bytes("RssAnon") };
}

const SIZES = "function () { return this.map(({ buffer }) => buffer.byteLength); }";

/** Bytes of wasm memory, of each instance that is alive; for JavaScript alone there are none. */
export async function wasmBytes(inspector) {
  const prototype = await inspector.evaluate("WebAssembly.Memory.prototype");
  const { objects } = await inspector.ask("Runtime.queryObjects", { prototypeObjectId: prototype.objectId });
  const call = { objectId: objects.objectId, functionDeclaration: SIZES, returnByValue: true };
  const { result: sizes } = await inspector.ask("Runtime.callFunctionOn", call);
  for (const { objectId } of [prototype, objects]) await inspector.ask("Runtime.releaseObject", { objectId });
  return sizes.value;
}

/** Bytes on the JavaScript heap, garbage included. */
export async function heapBytes(inspector) {
  return (await inspector.ask("Runtime.getHeapUsage")).usedSize;
}
