// The text format of Prometheus, 0.0.4, read as strictly as it can be: whatever isn't in it, or is there
// twice, is an error.

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (-?[0-9.]+)$`);
const KINDS = { counter: [""], gauge: [""], histogram: ["_bucket", "_sum", "_count"] };

/** The samples of a page: values by name and labels, as they stand in it. */
export function parse(text) {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const samples = new Map();
  const metrics = new Set();
  let help, name, ends;
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = line.match(new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`));
    if (comment?.[1] === "HELP") {
      help = comment[2];
    } else if (comment) {
      name = comment[2];
      ends = KINDS[comment[3]];
      if (help !== name || !ends || metrics.has(name)) throw new Error(`out of place: ${line}`);
      metrics.add(name);
    } else {
      const [, sample, labels = "", value] = line.match(SAMPLE) ?? [];
      if (!ends?.some((end) => sample === name + end)) throw new Error(`out of place: ${line}`);
      const key = sample + labels;
      if (samples.has(key)) throw new Error(`twice: ${line}`);
      samples.set(key, Number(value));
    }
  }
  checkHistograms(samples);
  return samples;
}

/** Buckets never fall, and the last one is the count. */
function checkHistograms(samples) {
  const last = new Map();
  for (const [key, value] of samples) {
    const [, name, labels] = key.match(/^(.+)_bucket\{(.+),le="[^"]+"\}$/) ?? [];
    if (!name) continue;
    const series = `${name}_count{${labels}}`;
    if (value < (last.get(series) ?? 0)) throw new Error(`a bucket falls: ${key}`);
    last.set(series, value);
  }
  for (const [series, value] of last) {
    if (samples.get(series) !== value) throw new Error(`${series} is not its last bucket`);
  }
}
