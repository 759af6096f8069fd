// The syncs of an integration: job by job they read the system behind into the cache, and tell of what is
// new or changed while they are at it.

import { happen } from "./happenings.mjs";
import { kebab, MODELS } from "./models.mjs";
import { iso } from "./timeline.mjs";

/** A job takes so long, if the pause between syncs isn't short. */
const JOB_MS = 2_000;

/** About so many jobs have a sync: a model of a property each, and what comes in late of new records. */
const JOBS = 30;

const FIRST = "first";
const BACK = "back";

export class Syncs {
  /** When the last one began of which no job failed. */
  whole = -Infinity;

  #count = 0;
  #jobs;
  #sync;

  /**
   * - `tell`: gets what goes out as webhooks.
   * - `diffs`: the list that the API shows.
   * - `options`: see options.mjs.
   */
  constructor({ integration, system, cache, timeline, random, options, flags, tell, diffs, say }) {
    Object.assign(this, { integration, system, cache, timeline, random, options, flags, tell, diffs, say });
    this.every_ms = options["sync-every"] * 1_000;
    this.job_ms = Math.min(JOB_MS, this.every_ms / JOBS / 2);
    this.schedule = random.id("schedule");
  }

  get isRunning() {
    return this.#sync !== undefined;
  }

  /** Starts the first sync, and thereby all others. */
  start() {
    if (this.isRunning || !this.flags.syncs) {
      this.timeline.after(this.isRunning ? this.job_ms : this.every_ms, () => this.start());
      return;
    }
    const { "backsync-every": every } = this.options;
    this.#count += 1;
    const isBack = every > 0 && this.#count % every === 0;
    const kind = this.#count === 1 ? FIRST : isBack ? BACK : "usual";
    this.#begin(kind, this.schedule);
  }

  /** Starts a sync out of turn, or a backsync; false where one is running. */
  begin(isBack) {
    if (this.isRunning || !this.#count) return false;
    this.#begin(isBack ? BACK : "manual", null);
    return true;
  }

  #begin(kind, schedule) {
    this.#sync = { kind, schedule, root: this.random.id("job"), began: this.timeline.now, succeeded: 0, failed: 0 };
    Object.assign(this.#sync, { created: 0, changed: 0 });
    const properties = this.system.all("properties");
    this.#jobs = Object.keys(MODELS).flatMap((model) => properties.map(({ id }) => ({ model, property: id })));
    this.timeline.after(this.job_ms, () => this.#next());
  }

  /** True if webhooks tell of it: first syncs and backsyncs come to pass in silence. */
  get #isTold() {
    return this.#sync.kind !== FIRST && this.#sync.kind !== BACK;
  }

  #next() {
    const job = this.#jobs.shift();
    if (!job) return this.#complete();
    job.id = this.random.id("job");
    const fails = this.random.chance(this.options["fail-jobs"]) || job.property === this.options["fail-property"];
    if (fails) this.#fail(job);
    else this.#read(job);
    return this.timeline.after(this.job_ms, () => this.#next());
  }

  #fail({ id, model }) {
    this.#sync.failed += 1;
    if (this.#isTold) this.tell({ trigger: "JOB_FAILURE", ...this.#about({ id, model }) });
  }

  #about({ id, model }) {
    const { id: integration_id, vendor } = this.integration;
    return {
      job_id: id,
      root_job_id: this.#sync.root,
      integration_id,
      job_type: `READ_${model.toUpperCase()}`,
      vendor,
    };
  }

  #read(job) {
    const { model, property, late } = job;
    const { system, cache } = this;
    this.#sync.succeeded += 1;
    const here = system.all(model).filter((record) => record.property_id === property && !system.left.has(record.id));
    const records = late ?? here;
    const early = [];
    for (const record of records) {
      if (cache.has(model, record.id)) this.#look(job, record);
      else if (this.#meet(job, record)) early.push(record);
    }
    // What is new has only its name so far.
    if (early.length) this.#jobs.push({ model, property, late: early });
  }

  /** Takes in a new record; true if there is more to it. */
  #meet(job, record) {
    const { early, fields } = MODELS[job.model];
    this.#sync.created += 1;
    const known = this.#isTold ? early : fields;
    const { id, created_at, updated_at, last_seen, ...state } = this.cache.add(
      job.model,
      record,
      known,
      this.timeline.now,
    );
    const values = Object.fromEntries(known.map((field) => [field, state[field]]));
    this.#report(job, record, { trigger: "DATA_NEW", payload: { id, created_at, updated_at, last_seen, ...values } });
    return known !== fields;
  }

  #look(job, record) {
    const diff = this.cache.see(job.model, record, this.timeline.now, this.options["last-seen"]);
    if (!diff) return;
    this.#sync.changed += 1;
    this.#report(job, record, { trigger: "DATA_UPDATE", diff });
  }

  #report({ id, model, property }, record, { trigger, payload, diff }) {
    const { names } = this.options;
    const { renamed } = MODELS[model];
    const named = (fields) =>
      fields && Object.fromEntries(Object.entries(fields).map(([field, value]) => [renamed[field] ?? field, value]));
    const about = this.#about({ id, model });
    if (model === "residents_to_leases" && this.options["parts-touch"]) {
      this.cache.touch("leases", record.lease_id, this.timeline.now);
      this.cache.touch("residents", record.resident_id, this.timeline.now);
    }
    if (this.#isTold || this.options["all-diffs"]) this.#keep(about, model, record, { trigger, payload, diff });
    if (!this.#isTold) return;
    const change = payload
      ? { payload: { ...named(payload), integration_id: about.integration_id, integration_vendor: about.vendor } }
      : { diff: { previous: named(diff.previous), new: named(diff.new) } };
    const object = names === "snake" ? model : kebab(model);
    this.tell({ trigger, ...about, model, record_id: record.id, object, property_id: property, ...change });
  }

  /** The API's list of what changed, which has also what no webhook arrives for. */
  #keep({ job_id, integration_id, vendor }, model, record, { trigger, payload, diff }) {
    const isLost = this.random.chance(this.options["lose-diffs"]);
    const id = this.random.id("diff");
    if (isLost) return;
    this.diffs.push({
      id,
      model,
      model_record_id: record.id,
      event_type: trigger === "DATA_NEW" ? "NEW" : "UPDATE",
      data_diff: payload ?? (this.options["plain-diffs"] ? diff.new : diff),
      created_at: iso(this.timeline.now),
      job_id,
      integration_id,
      integration_vendor: vendor,
    });
  }

  #complete() {
    const { kind, schedule, began, succeeded, failed, created, changed } = this.#sync;
    const { integration, timeline } = this;
    const isBack = kind === BACK;
    this.#sync = undefined;
    if (!failed) this.whole = began;
    integration[isBack ? "last_completed_back_sync" : "last_completed_sync"] = iso(timeline.now);
    integration.updated_at = iso(timeline.now);
    this.say(
      `${integration.id}: ${kind} sync: ${created} new, ${changed} changes${failed ? `, ${failed} failed` : ""}`,
    );
    this.tell({
      trigger: kind === FIRST ? "FIRST_SYNC_COMPLETE" : "SYNC_COMPLETE",
      integration_id: integration.id,
      vendor: integration.vendor,
      successful_job_count: succeeded,
      failed_job_count: failed,
      is_sync_finished: true,
      is_backsync: isBack,
      job_schedule_id: schedule,
      models_synced: Object.keys(MODELS),
    });
    if (schedule === null) return;
    timeline.after(Math.max(began + this.every_ms - timeline.now, this.job_ms), () => this.start());
  }
}

/** Lets things happen in `system` until `end`, `an_hour` of them on average. */
export function live({ system, timeline, random, an_hour, end, flags, say }) {
  const next = () => {
    if (timeline.now >= end) return;
    if (flags.life) say(happen(system, timeline.now));
    later();
  };
  const later = () => timeline.after(random.pause(3_600_000 / an_hour), next);
  later();
}
