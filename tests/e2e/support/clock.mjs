// A clock of the Worker's that the test puts forward. Alarms go off as if it had always gone so.

import { request } from "./http.mjs";
import { inRoot } from "./paths.mjs";

const PATH = "/clock";

const CLOCK = `
import { Connector as RealConnector, default as worker, Ledger as RealLedger } from "./index.js";

const real = Date.now;
let ahead_ms = 0;
Date.now = () => real() + ahead_ms;

const storageOf = (storage) =>
  new Proxy(storage, {
    get(_target, name) {
      if (name === "setAlarm") return (at) => storage.setAlarm(at - ahead_ms);
      const value = storage[name];
      return typeof value === "function" ? value.bind(storage) : value;
    },
  });

const punctual = (Real) =>
  class extends Real {
    constructor(ctx, env) {
      Object.defineProperty(ctx, "storage", { value: storageOf(ctx.storage) });
      super(ctx, env);
    }
  };

export const Ledger = punctual(RealLedger);
export const Connector = punctual(RealConnector);

export default {
  ...worker,
  fetch(request, ...rest) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "${PATH}") return worker.fetch(request, ...rest);
    ahead_ms += Number(searchParams.get("ms"));
    return new Response();
  },
};
`;

/** Changes Miniflare's options of the Worker. */
export const withClock = (options) =>
  options.modules.unshift({ type: "ESModule", path: inRoot("build", "clock.js"), contents: CLOCK });

/** Puts the clock of the Worker at `url` forward by so many milliseconds. */
export const putForward = (url, ms) => request(`${url}${PATH}?ms=${ms}`);
