// `npm run build`, and what wrangler runs before it deploys.

import { main } from "./lib/command.mjs";
import { prepare } from "./lib/prepare.mjs";
import { buildWorker } from "./lib/worker.mjs";

main(async () => {
  await prepare();
  await buildWorker();
});
