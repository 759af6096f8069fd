// Tests that need a tool which not every machine has.

import { maySkip } from "../../../scripts/lib/tools.mjs";

/**
 * The tool that `get` finds or installs. Where it can't be had, the test `t` is skipped, says why, and
 * there is none.
 */
export async function tool(t, get) {
  try {
    return await get();
  } catch (error) {
    if (!maySkip(error)) throw error;
    t.skip(error.message);
  }
}
