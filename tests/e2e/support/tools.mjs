// Tests that need a tool which not every machine has.

import { Missing, NotHere } from "../../../scripts/lib/tools.mjs";

/** Set by .ci/run, where nothing that can be tested may go untested. */
const MUST_RUN = process.env.LEASEWIRE_CI === "1";

/**
 * The tool that `get` finds or installs. Where it can't be had, the test `t` is skipped, says why, and
 * there is none.
 */
export async function tool(t, get) {
  try {
    return await get();
  } catch (error) {
    if (!(error instanceof Missing) || (MUST_RUN && !(error instanceof NotHere))) throw error;
    t.skip(error.message);
  }
}
