// The figures of the last hour that this tab has seen. They outlive a look at another page, but not the tab.

const KEPT = 3_600_000;
const NAME = 'oxide.samples';
const FIELDS = 5; // moment, tasks per second, processor, memory, tasks running

export class Samples {
  #rows = [];
  #ended = null;

  constructor() {
    try {
      const rows = JSON.parse(sessionStorage.getItem(NAME)) ?? [];
      this.#rows = rows.filter((row) => Array.isArray(row) && row.length === FIELDS);
    } catch {
      // Nothing is kept where a browser lets nothing be kept.
    }
  }

  get since() {
    return this.#rows[0]?.[0] ?? null;
  }

  // The newest figures, and how many tasks a second have ended since the ones before.
  add({ tasks, system }) {
    const now = Date.now();
    const ended = tasks.completed + tasks.failed + tasks.cancelled;
    const before = this.#ended;
    this.#ended = { now, ended };
    // Old tasks may have been pruned in between. After a restart or a gap it is no rate any more.
    const usable = before && now - before.now > 500 && now - before.now < 15_000 && ended >= before.ended;
    const rate = usable ? (ended - before.ended) / ((now - before.now) / 1000) : null;
    this.#rows.push([now, rate, system.cpu_percent, system.memory_percent, tasks.running]);
    while (this.#rows[0][0] < now - KEPT) this.#rows.shift();
    return rate;
  }

  // Points [moment, value] of one field; a null value is a gap.
  of(field) {
    return this.#rows.map((row) => [row[0], row[field]]);
  }

  keep() {
    try {
      sessionStorage.setItem(NAME, JSON.stringify(this.#rows));
    } catch {
      // As above.
    }
  }
}

export const RATE = 1;
export const CPU = 2;
export const MEMORY = 3;
export const RUNNING = 4;
