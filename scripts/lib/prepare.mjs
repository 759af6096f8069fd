// Everything that must be on the machine before anything else can run. Quick when it's all there.

import { installBindgen } from "./bindgen.mjs";
import { checkNode } from "./node.mjs";
import { installPackages } from "./packages.mjs";
import { installToolchain } from "./toolchain.mjs";

export async function prepare() {
  checkNode();
  await installToolchain();
  await installPackages();
  await installBindgen();
}
