// `npm run simulate`: the service in a simulated world, under many seeds. `-- --seeds 100000` runs
// more of them, `-- --seed N` tells what happens under one, `-- --bug NAME` puts a bug in,
// `-- --outage S` takes D1 away for S seconds under load. With `-- --mirror` the world has a provider
// that is asked.

import { main, run } from "./lib/command.mjs";
import { installToolchain } from "./lib/toolchain.mjs";

main(async () => {
  await installToolchain();
  const simulation = ["test", "--quiet", "--locked", "--test", "simulation", "--"];
  await run("cargo", [...simulation, ...process.argv.slice(2)]);
});
