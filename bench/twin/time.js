// Instants as texts, `2026-03-25T10:05:00.123456789Z`: nine digits of a second always, so that the
// order of texts is that of time, and D1 takes them as they are.

// ISO 8601: dates, times and offsets with or without separators, and in UTC where there is no offset.
const ISO = new RegExp(
  "^(?<year>\\d{4})(?<dash>-?)(?<month>\\d\\d)\\k<dash>(?<day>\\d\\d)[Tt ]" +
    "(?<hour>\\d\\d)(?:(?<colon>:?)(?<minute>\\d\\d)(?:\\k<colon>(?<second>\\d\\d)(?:[.,](?<fraction>\\d+))?)?)?" +
    "(?: ?(?:[Zz]|(?<sign>[-+\u2212])(?<hours>\\d\\d)(?::?(?<minutes>\\d\\d))?))?$",
);

/** The form that most senders write. */
const USUAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/** The instant that is `ms` since 1970. */
export const instant = (ms) => `${new Date(ms).toISOString().slice(0, 23)}000000Z`;

/** The instant that `text` states, or undefined. */
export function time(text) {
  // The platform takes February 30 and 24:00, too.
  const isSafe = USUAL.test(text) && text.slice(8, 10) <= "28" && text.slice(11, 13) <= "23";
  if (!isSafe || Number.isNaN(Date.parse(text))) return anyForm(text);
  return `${text.slice(0, 19)}.${text.slice(20, -1).padEnd(9, "0")}Z`;
}

function anyForm(text) {
  const stated = ISO.exec(text.trim())?.groups;
  if (!stated) return undefined;
  const { year, month, day, hour, minute = "00", second = "00", fraction = "" } = stated;
  const isLeap = second === "60"; // the first second behind it
  const local = `${year}-${month}-${day}T${hour}:${minute}:${isLeap ? "59" : second}`;
  const ms = Date.parse(`${local}Z`);
  if (Number.isNaN(ms)) return undefined;
  let iso = new Date(ms).toISOString();
  // February 30 would be a day of March.
  if (!iso.startsWith(local)) return undefined;
  if (isLeap || stated.sign) {
    const { sign, hours = "00", minutes = "00" } = stated;
    if (hours > "23" || minutes > "59") return undefined;
    const ahead_ms = (Number(hours) * 60 + Number(minutes)) * (sign === "+" ? 60_000 : -60_000);
    iso = new Date(ms + (isLeap ? 1_000 : 0) - ahead_ms).toISOString();
    // A year before 0 or beyond 9999 is written with a sign.
    if (iso.length > 24) return undefined;
  }
  return `${iso.slice(0, 19)}.${fraction.slice(0, 9).padEnd(9, "0")}Z`;
}
