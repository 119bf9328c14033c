// How many tasks were under way in the last hour, as this tab has seen it. It outlives a look at another page, but not the tab.

const KEPT = 3_600_000;
const NAME = 'oxide.samples';

export class Samples {
  #rows = [];

  constructor() {
    try {
      const rows = JSON.parse(sessionStorage.getItem(NAME)) ?? [];
      this.#rows = rows.filter((row) => Array.isArray(row) && row.length === 2);
    } catch {
      // Nothing is kept where a browser lets nothing be kept.
    }
  }

  add({ tasks }) {
    const now = Date.now();
    this.#rows.push([now, tasks.running]);
    while (this.#rows[0][0] < now - KEPT) this.#rows.shift();
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
