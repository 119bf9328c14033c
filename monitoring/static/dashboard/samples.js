// How many tasks were under way in the last hour, as this tab has seen it. It outlives a look at another page, but not the tab.

const KEPT = 3_600_000;
const NAME = 'oxide.samples';

export class Samples {
  #rows = [];
  #ended = null;

  constructor() {
    try {
      const rows = JSON.parse(sessionStorage.getItem(NAME)) ?? [];
      this.#rows = rows.filter((row) => Array.isArray(row) && row.length === 2);
    } catch {
      // Nothing is kept where a browser lets nothing be kept.
    }
  }

  // The newest figures. Returns how many tasks a second have ended since the ones before, or null.
  add({ tasks }) {
    const now = Date.now();
    const ended = tasks.completed + tasks.failed + tasks.cancelled;
    const before = this.#ended;
    this.#ended = { now, ended };
    this.#rows.push([now, tasks.running]);
    while (this.#rows[0][0] < now - KEPT) this.#rows.shift();
    // Old tasks may have been pruned in between. After a restart or a gap it is no rate any more.
    const usable = before && now - before.now > 500 && now - before.now < 15_000 && ended >= before.ended;
    return usable ? (ended - before.ended) / ((now - before.now) / 1000) : null;
  }

  // Points [moment, tasks under way].
  get running() {
    return this.#rows;
  }

  keep() {
    try {
      sessionStorage.setItem(NAME, JSON.stringify(this.#rows));
    } catch {
      // As above.
    }
  }
}
