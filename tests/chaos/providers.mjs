// What the providers say. Each knows its records, changes them, and tells of it in its dialect. A
// fact is one delivery: the body, and what was meant by it, which is what the reference goes by.
// Values are kept as JSON text, because 750000.0 is to stay what it is.

const RENTS = ["750000.0", "18014398509481985", "null", "0", "1e3"];

const VALUES = RENTS.filter((rent) => rent !== "null");

/** By dialect, models as the provider writes them and as they are normalised. */
const MODELS = {
  propexo: [
    ["leases", "leases"],
    ["residents-to-leases", "residents_to_leases"],
  ],
  propify: [
    ["units", "units"],
    ["service_request", "service_requests"],
  ],
  meterbase: [
    ["unit", "units"],
    ["lease", "leases"],
  ],
  "real-estate": [
    ["property", "properties"],
    ["appointment", "appointments"],
  ],
};

const VERBS = ["new", "update", "update"];
const THING_VERBS = ["created", "updated", "updated", "seen"];

const RECORDS = 3;

/** What a record is when it begins. */
const FIRST = { status: '"a"', rent_in_cents: "750000.0", n: "0", is_vacant: "true" };

/** JSON of an object whose values are JSON text. */
export const object = (fields) =>
  `{${Object.entries(fields)
    .map(([name, json]) => `${JSON.stringify(name)}:${json}`)
    .join(",")}}`;

const text = (value) => JSON.stringify(value);

/**
 * What one sender has to say about one integration. A sender that `waits` for its answers sends
 * changes without id, job or time of their own, the same bytes again and again: only the order tells
 * them apart. One that doesn't wait sends what can be told apart in any order.
 */
export class Provider {
  #made = 0;
  #last_ms = 0;

  constructor({ dialect, integration, waits, random }) {
    Object.assign(this, { dialect, integration, waits, random });
    this.name = `${dialect}/${integration}/${waits ? "waits" : "goes on"}`;
    const prefix = waits ? "w" : "g";
    this.records = Array.from({ length: RECORDS }, (_item, n) => ({
      model: MODELS[dialect][n % 2],
      id: `${prefix}${n >> 1}`, // two may differ in their model alone
      fields: { ...FIRST },
      // Many providers know the time to the second only.
      isOfSeconds: n !== 1,
    }));
    this.toggle = { model: MODELS[dialect][0], id: `${prefix}-toggle`, fields: { status: text("a") } };
  }

  /**
   * It sends short envelopes in any order. There one with a past, or that gives a value to what has none,
   * could be a second event: see decision 6 of the dialects.
   */
  get #isLoose() {
    return !this.waits && this.dialect === "propify";
  }

  /** The next fact. */
  next() {
    this.#made += 1;
    const draw = this.random.below(100);
    if (draw < 2) return this.#junk();
    if (this.dialect === "propexo") return draw < 6 ? this.#control() : this.#partial();
    if (this.dialect === "propify") return this.#partial();
    if (this.dialect === "meterbase" && draw < 3) return this.#ping();
    if (this.dialect === "meterbase" && draw < 6) return this.#sync();
    return this.#whole();
  }

  #fact(body, meaning, integration = this.integration) {
    const ledger = meaning.ping ? null : `${this.dialect}/${integration}`;
    const { dialect, name: sender } = this;
    return { dialect, ledger, sender, body, meaning, answers: [], refusals: [], abandoned: 0 };
  }

  /** Changes some fields of a record; a change that nobody hears of makes the next one a contradiction. */
  #change(record, unheard = this.random.chance(40)) {
    const { random } = this;
    if (unheard) record.fields.status = text(`unheard ${this.#made}`);
    const next = { n: String(this.#made) };
    if (random.chance(600)) next.status = text(random.pick(["a", "b", "c"]));
    if (random.chance(300)) next.rent_in_cents = random.pick(this.#isLoose ? VALUES : RENTS);
    if (random.chance(300)) next.is_vacant = random.pick(["true", "false"]);
    const previous = Object.fromEntries(Object.keys(next).map((name) => [name, record.fields[name]]));
    // What goes from a value to none is left out by some senders.
    if (random.chance(50) && !this.#isLoose) delete next.rent_in_cents;
    for (const name of Object.keys(previous)) record.fields[name] = next[name] ?? "null";
    return { previous, next };
  }

  /** Back and forth, so that every second body is the same. */
  #toggled() {
    const { fields } = this.toggle;
    const previous = { ...fields };
    fields.status = fields.status === text("a") ? text("b") : text("a");
    return { previous, next: { ...fields } };
  }

  #partial() {
    const toggles = this.waits && this.random.chance(400);
    const record = toggles ? this.toggle : this.random.pick(this.records);
    let change = toggles ? this.#toggled() : this.#change(record);
    if (!toggles && this.random.chance(150)) change = { sparse: this.#creation(record) };
    const short = this.waits || this.dialect === "propify" || change.sparse;
    if (this.#isLoose && change.previous) change.previous = {};
    const content = change.sparse
      ? `"payload":${object(change.sparse)}`
      : `"diff":{"previous":${object(change.previous)},"new":${object(change.next)}}`;
    const body = short ? this.#short(record, content) : this.#full(record, content);
    const [, model] = record.model;
    return this.#fact(body, { model, id: record.id, change });
  }

  /** Of a new record, as it began, or as it is by the time that is told. No two are the same. */
  #creation(record) {
    return { ...this.random.pick([FIRST, record.fields]), row: String(this.#made) };
  }

  #meta({ model: [name] }) {
    return `"meta":{"object":"${name}","integration_id":"${this.integration}"}`;
  }

  #short(record, content) {
    return `{${this.#meta(record)},"record_id":"${record.id}",${content}}`;
  }

  #full(record, content) {
    const job = `"job_id":"job_${this.integration}_${this.#made}","integration_id":"${this.integration}"`;
    const {
      id,
      model: [name],
    } = record;
    const inner = `${job},"event":"DATA_UPDATE","record_id":"${id}","object":"${name}",${content}`;
    return this.random.chance(500)
      ? `{"trigger":"DATA_UPDATE","data":{${inner}},${this.#meta(record)}}`
      : `{${inner},${this.#meta(record)},"context":{}}`;
  }

  /** When a record changed: to the second, which it may do several times in one, or to the nanosecond. */
  #timeOf({ isOfSeconds }) {
    const time = this.#time();
    if (isOfSeconds) return `${time.slice(0, 19)}Z`;
    return `${time.slice(0, 23)}${String(this.random.below(1_000_000)).padStart(6, "0")}Z`;
  }

  /** A time that no other fact of this provider has. */
  #time() {
    this.#last_ms = Math.max(Date.now(), this.#last_ms + 1);
    return new Date(this.#last_ms).toISOString();
  }

  #whole() {
    const record = this.random.pick(this.records);
    const { previous, next } = this.#change(record, false);
    const {
      id,
      model: [name, model],
    } = record;
    const whole = { ...record.fields, id: text(id) };
    const at = this.#timeOf(record);
    // MeterBase says what was before, too, if not always.
    const before = this.dialect === "meterbase" && this.random.chance(700) ? previous : {};
    const verb = this.random.pick(this.dialect === "meterbase" ? VERBS : THING_VERBS);
    const body =
      this.dialect === "meterbase"
        ? this.#unit(name, `data.${verb}`, at, whole, before, next)
        : this.#thing(name, verb, at, whole);
    const isCreation = verb === "new" || verb === "created";
    return this.#fact(body, { model, id, at, change: { whole, before, isCreation } });
  }

  #unit(name, event, at, whole, before, next) {
    const changes = Object.keys(before).map((field) => [
      field,
      object({ old: before[field], new: next[field] ?? "null" }),
    ]);
    const told = changes.length ? `,"changes":${object(Object.fromEntries(changes))}` : "";
    return (
      `{"event":"${event}","timestamp":"${at}","connection_id":"${this.integration}",` +
      `"resource_type":"${name}","data":${object(whole)}${told}}`
    );
  }

  #thing(name, verb, at, whole) {
    const event = `evt_${this.waits ? "w" : "g"}_${this.#made}`;
    return `{"id":"${event}","type":"${name}.${verb}","created":"${at}","data":{"${name}":${object(whole)}}}`;
  }

  #control() {
    if (this.random.chance(500)) return this.#nameless();
    const isFinished = this.random.chance(800);
    const event = this.random.pick(["FIRST_SYNC_COMPLETE", "SYNC_COMPLETE", "SYNC_COMPLETE"]);
    const body =
      `{"event":"${event}","integration_id":"${this.integration}","vendor":"${this.name}",` +
      `"successful_job_count":${this.#made},"is_sync_finished":${isFinished}}`;
    return this.#fact(body, { notice: true, nameless: true, synced: isFinished });
  }

  /** An end of a synchronisation that is always the same, whoever tells of it. */
  #nameless() {
    const body = `{"event":"SYNC_COMPLETE","integration_id":"${this.integration}","is_sync_finished":true}`;
    return this.#fact(body, { notice: true, nameless: true, synced: true });
  }

  #sync() {
    const at = this.#time();
    const body =
      `{"event":"sync.complete","timestamp":"${at}","connection_id":"${this.integration}",` +
      `"sync_id":"sync ${this.name} ${this.#made}","stats":{}}`;
    return this.#fact(body, { notice: true, synced: true, at });
  }

  #ping() {
    return this.#fact(`{"event":"test.ping","timestamp":"${this.#time()}","data":{}}`, { ping: true });
  }

  /** Signed, but nothing that could be understood, not even whose it is. */
  #junk() {
    return this.#fact(`junk ${this.#made} of ${this.name}`, { junk: true }, "default");
  }
}
