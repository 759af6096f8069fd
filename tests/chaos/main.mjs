// The command: `npm run chaos`, see scripts/chaos.mjs.

import { parseArgs } from "node:util";

import { main, Stop, seconds } from "../../scripts/lib/command.mjs";
import { chaos } from "./chaos.mjs";

const VIOLATIONS_SHOWN_MAX = 50;

const DEFAULTS = { seed: String(Math.floor(Math.random() * 1_000_000)), kills: "20", rate: "60" };

function options() {
  const option = (name) => [name, { type: "string", default: DEFAULTS[name] }];
  let values;
  try {
    ({ values } = parseArgs({ options: Object.fromEntries(Object.keys(DEFAULTS).map(option)) }));
  } catch (error) {
    throw new Stop(`${error.message}\nThere are --seed N, --kills N and --rate N (deliveries a second).`);
  }
  const numbers = Object.entries(values).map(([name, text]) => {
    const number = Number(text);
    if (!Number.isInteger(number) || number < (name === "rate" ? 1 : 0)) {
      throw new Stop(`--${name} takes a whole number, not "${text}".`);
    }
    return [name, number];
  });
  return Object.fromEntries(numbers);
}

main(async () => {
  const since = Date.now();
  const { seed, kills, rate } = options();
  console.log(`${kills} kills, ${rate} deliveries a second, seed ${seed}`);
  const say = (line) => console.log(`${seconds(since).padStart(8)}  ${line}`);
  const { violations, summary, folder } = await chaos({ seed, kills, rate, say });
  console.log();
  for (const [what, value] of Object.entries(summary)) console.log(`${what.padEnd(36)}${value}`);
  if (!violations.length) {
    console.log(`\nEverything holds, after ${seconds(since)}.`);
    return 0;
  }
  const more = violations.length - VIOLATIONS_SHOWN_MAX;
  console.log(`\n${violations.length} violations:`);
  for (const violation of violations.slice(0, VIOLATIONS_SHOWN_MAX)) console.log(`- ${violation}`);
  if (more > 0) console.log(`- … and ${more} more`);
  console.log(`\nThe state is kept in ${folder}, with all that was sent and read in chaos.json.`);
  console.log(`To try again: npm run chaos -- --seed ${seed} --kills ${kills} --rate ${rate}`);
  return 1;
});
