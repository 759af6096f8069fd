// `npm run chaos`: the Worker under steady load, killed 20 times and started again on the state it
// kept; then everything that was answered is looked for. `-- --kills N`, `--rate N` deliveries a
// second, `--seed N`: the same deliveries and pauses, though never exactly the same moments.

import { main, run } from "./lib/command.mjs";
import { modernNode, modernPath } from "./lib/node.mjs";
import { inRoot } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { buildWorker } from "./lib/worker.mjs";

main(async () => {
  await prepare();
  await buildWorker();
  const program = inRoot("tests", "chaos", "main.mjs");
  await run(modernNode(), [program, ...process.argv.slice(2)], { env: { PATH: modernPath() } });
});
