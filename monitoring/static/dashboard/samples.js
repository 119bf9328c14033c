// How many tasks were under way in the last hour, as this tab has seen it. It outlives a look at another page, but not the tab.

const KEPT = 3_600_000;
const MINUTE = 60_000;
const GAP = 15_000;
const NAME = 'oxide.samples';

export class Samples {
  #rows = [];
  #ended = [];

  constructor() {
    try {
      const rows = JSON.parse(sessionStorage.getItem(NAME)) ?? [];
      this.#rows = rows.filter((row) => Array.isArray(row) && row.length === 2);
    } catch {
      // Nothing is kept where a browser lets nothing be kept.
    }
  }

  // The newest figures. Returns how many tasks have ended a minute, in the last one or since this tab began to look, or null.
  add({ tasks }) {
    const now = Date.now();
    const ended = tasks.completed + tasks.failed + tasks.cancelled;
    this.#rows.push([now, tasks.running]);
    while (this.#rows[0][0] < now - KEPT) this.#rows.shift();
    // Old tasks may have been pruned in between. After a restart or a gap it is no rate any more.
    const before = this.#ended.at(-1);
    if (before && (now - before.now > GAP || ended < before.ended)) this.#ended = [];
    this.#ended.push({ now, ended });
    while (this.#ended.length > 2 && this.#ended[1].now <= now - MINUTE) this.#ended.shift();
    const first = this.#ended[0];
    return now - first.now > 500 ? ((ended - first.ended) * MINUTE) / (now - first.now) : null;
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
