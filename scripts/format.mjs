// `npm run format`: lays out all code the way `npm test` wants to see it.

import { main, run } from "./lib/command.mjs";
import { javascript } from "./lib/javascript.mjs";
import { prepare } from "./lib/prepare.mjs";

main(async () => {
  await prepare();
  await run("cargo", ["fmt"]);
  await javascript("check", "--write", "--linter-enabled=false");
});
