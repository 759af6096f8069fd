// Starts a script of this folder: prepares, builds the Worker, and runs it under the right Node.js.
// `npm run bench` is measure.mjs, `npm run soak` soak.mjs, `npm run cost` cost.mjs; what can be asked
// of each is written there.
//   --no-build     takes build/ as it is

import { main, run } from "../scripts/lib/command.mjs";
import { modernNode, modernPath } from "../scripts/lib/node.mjs";
import { inRoot } from "../scripts/lib/paths.mjs";
import { prepare } from "../scripts/lib/prepare.mjs";
import { buildWorker } from "../scripts/lib/worker.mjs";

main(async () => {
  const [script, ...args] = process.argv.slice(2);
  await prepare();
  if (!["--no-build", "--markdown"].some((option) => args.includes(option))) await buildWorker();
  await run(modernNode(), ["--disable-warning=ExperimentalWarning", inRoot("bench", `${script}.mjs`), ...args], {
    env: { PATH: modernPath() },
  });
});
