// `npm run bench`: Leasewire beside a JavaScript Worker that does the same, and beside the floor.
//   --quick        about two minutes
//   --only a,b     some measures: see lib/measures.mjs
//   --rounds n     more rounds, narrower ratios
//   --no-build     measures build/ as it is
// `npm run cost` begins here too: the program to run can be given first.

import { main, run } from "../scripts/lib/command.mjs";
import { modernNode, modernPath } from "../scripts/lib/node.mjs";
import { inRoot } from "../scripts/lib/paths.mjs";
import { prepare } from "../scripts/lib/prepare.mjs";
import { buildWorker } from "../scripts/lib/worker.mjs";

main(async () => {
  const args = process.argv.slice(2);
  const program = args[0]?.endsWith(".mjs") ? args.shift() : "measure.mjs";
  await prepare();
  if (!["--no-build", "--markdown"].some((option) => args.includes(option))) await buildWorker();
  await run(modernNode(), [inRoot("bench", program), ...args], { env: { PATH: modernPath() } });
});
