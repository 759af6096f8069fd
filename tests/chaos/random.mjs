// Numbers that depend on a seed alone, with chances in thousandths.

import { Random as Probable } from "../../examples/provider/random.mjs";

export class Random extends Probable {
  /** True so many times in a thousand. */
  chance(thousandths) {
    return super.chance(thousandths / 1_000);
  }
}
