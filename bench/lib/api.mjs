// A provider's API that has whatever record it is asked for, each time with something new: for the cost
// of asking, not for what it brings.

import { once } from "node:events";
import { createServer } from "node:http";

/** The source of `wrangler.toml` with an API at `url`, which is asked after each event and for nothing else. */
export const asking = (url) => ({
  PROPEXO_API_KEY: "a key",
  SOURCES: {
    propexo: {
      dialect: "propexo",
      secret: "PROPEXO_SECRET",
      api: {
        kind: "propexo",
        key: "PROPEXO_API_KEY",
        url,
        requests_per_minute: 6_000,
        backfill: false,
        reconcile: false,
      },
    },
  },
});

/** Starts it; `requests` is how many it has answered. */
export async function serveApi() {
  const api = { requests: 0 };
  const server = createServer(({ url }, response) => {
    api.requests += 1;
    const id = url.split("/").at(-1);
    const record = { id, updated_at: new Date().toISOString(), status: "active", rent_in_cents: api.requests };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ meta: { orderBy: [] }, results: record }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(api, {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => server.close(),
  });
}
