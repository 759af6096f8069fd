// How often a unit was occupied and vacated: all that was ever said of it, in the order of time.

const kindOf = (isVacant) => (isVacant === "true" ? "unit.vacated" : "unit.occupied");

const NONE = { "unit.occupied": 0, "unit.vacated": 0 };

export class Unit {
  /** How many notices there are of each kind. */
  notices = { ...NONE };
  #said = [];
  #last;

  /**
   * Adds what `change`, an object with a time, says. `among` are all of that time, the oldest first: what
   * is noticed stays so, even if a later event shows another order.
   */
  addTimed(time, change, among) {
    const before = this.#turns();
    const states = [change.before.is_vacant, change.whole.is_vacant].filter(Boolean);
    this.#said.push({ time, change, states });
    const place = (one) => (one.time === time ? among.indexOf(one.change) : 0);
    this.#said.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : place(a) - place(b)));
    const after = this.#turns();
    // An event has one notice of a kind at the most.
    for (const kind of Object.keys(NONE)) this.notices[kind] += after[kind] > before[kind] ? 1 : 0;
  }

  /** Adds a change without a time; `before` is what it says, if it does, and `state` what is known now. */
  addTimeless(before, state) {
    const was = before ?? this.#last;
    if (state !== undefined && was !== undefined && state !== was) this.notices[kindOf(state)] += 1;
    this.#last = state ?? was;
  }

  #turns() {
    const states = this.#said.flatMap((said) => said.states);
    const counts = { ...NONE };
    states.forEach((state, at) => {
      if (at && state !== states[at - 1]) counts[kindOf(state)] += 1;
    });
    return counts;
  }
}
