// The tasks under way, with those that ended while one looked on.

import { Refusal, ask, may } from './api.js';
import { arrange, cell, element, find, mark, say, show, state, taskLink } from './dom.js';
import { NOTHING, count, dollars, plural, ticking, seconds, words } from './format.js';
import { isOpen, kindOf } from './task_states.js';

const MOST_SHOWN = 50;
const MOST_ENDED = 8;
const MOST_FOLLOWED = 20; // whose text is heard, so as to estimate their tokens
const CHARACTERS_PER_TOKEN = 4; // as Oxide estimates where a provider does not count
const PAINT = 200;

export class OpenTasks {
  #open = new Map();
  #ended = [];
  #followed = new Set();
  #more = false;
  #painting = null;

  constructor(live) {
    this.live = live;
    this.table = find('tasks');
    live.addEventListener('task_progress', ({ detail }) => this.#note(detail));
    live.addEventListener('task_delta', ({ detail }) => this.#hear(detail));
    setInterval(() => document.hidden || this.#tick(), PAINT);
  }

  // All that are open, from a snapshot. Whichever is not among them has ended unseen.
  begin(tasks, more) {
    this.#more = more;
    this.#followed.clear();
    const there = new Set(tasks.map((task) => task.task_id));
    for (const [id, row] of this.#open) {
      if (there.has(id)) continue;
      this.#open.delete(id);
      if (!more && row.isShown) this.#lookUp(row);
    }
    for (const task of tasks) this.#note(task);
    this.#paint();
  }

  // How many of those that run wait for a free place at their service.
  get waiting() {
    return [...this.#open.values()].filter((row) => row.waits).length;
  }

  #note(task) {
    const id = task.task_id;
    let row = this.#open.get(id);
    if (!row && !isOpen(task.status) && this.#ended.some((ended) => ended.id === id)) return;
    row ??= new TaskRow(id);
    row.note(task);
    if (isOpen(task.status)) this.#open.set(id, row);
    else this.#end(row);
    this.#paint();
  }

  #end(row) {
    this.#open.delete(row.id);
    if (this.#followed.delete(row.id)) this.live.send({ type: 'unsubscribe', task_id: row.id });
    this.#ended.unshift(row);
    this.#ended.length = Math.min(this.#ended.length, MOST_ENDED);
  }

  async #lookUp(row) {
    try {
      const task = await ask(`/api/tasks/${row.id}/`);
      row.note({
        task_id: row.id, status: task.status, task_type: task.task_type, service: task.service_used, model: task.model_used,
        elapsed: task.execution_time, tokens: task.tokens_used, cost: task.cost, error_code: task.error_code,
      });
      this.#end(row);
      this.#paint();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }

  #hear({ task_id: id, text, offset }) {
    this.#open.get(id)?.hear(offset + text.length);
  }

  #paint() {
    this.#painting ??= setTimeout(() => {
      this.#painting = null;
      this.#arrange();
    }, PAINT / 2);
  }

  #arrange() {
    const open = [...this.#open.values()].sort((one, other) => other.began - one.began);
    const shown = open.slice(0, MOST_SHOWN);
    this.#follow(shown);
    for (const row of this.#open.values()) row.isShown = false;
    for (const row of shown) row.isShown = true;
    const rows = [...shown, ...this.#ended];
    for (const row of rows) row.paint();
    arrange(this.table.tBodies[0], rows.map((row) => row.node));
    show(this.table, rows.length > 0);
    show(find('no-tasks'), open.length === 0);
    const more = find('more-tasks');
    const hidden = open.length - shown.length;
    show(more, hidden > 0 || this.#more);
    say(more, `${hidden ? `${plural(hidden, 'older task')} more` : 'More tasks'} under way. The history lists all.`);
  }

  #follow(rows) {
    for (const row of rows) {
      if (this.#followed.size >= MOST_FOLLOWED) return;
      if (row.status !== 'running' || this.#followed.has(row.id)) continue;
      this.#followed.add(row.id);
      this.live.send({ type: 'subscribe', task_id: row.id });
    }
  }

  #tick() {
    for (const row of this.#open.values()) if (row.isShown) row.tick();
  }
}

class TaskRow {
  isShown = false;
  status = '';
  waits = false;
  began = performance.now();
  node = null;
  #task = null;
  #characters = 0;

  constructor(id) {
    this.id = id;
  }

  // Not before it is to be seen: under load most tasks never are.
  #build() {
    const { id } = this;
    this.type = element('span', { class: 'name' });
    this.service = element('span');
    this.model = element('span', { class: 'note' });
    this.state = state('idle', '');
    this.code = element('span', { class: 'note' });
    this.time = cell('Time', { class: 'number' });
    this.tokens = cell('Tokens', { class: 'number' });
    this.cost = cell('Cost', { class: 'number' });
    this.stop = element('button', { class: 'stop', 'aria-label': `Stop task ${id.slice(-8)}`, ...(may('execute') ? {} : { disabled: true, 'aria-describedby': 'lacking' }) }, 'Stop');
    this.refusal = element('span', { class: 'note bad', role: 'alert' });
    this.stop.addEventListener('click', () => this.#cancel());
    this.node = element('tr', { role: 'row' },
      element('th', { role: 'rowheader', scope: 'row' }, this.type, taskLink(id)),
      cell('Service', { class: 'wide' }, this.service, this.model), cell('State', {}, this.state, this.code),
      this.time, this.tokens, this.cost, cell('', { class: 'wide action' }, this.stop, this.refusal));
  }

  note(task) {
    this.#task = task;
    this.status = task.status;
    this.waits = task.waiting === true;
    if (task.elapsed !== null) this.began = performance.now() - task.elapsed * 1000;
  }

  hear(characters) {
    this.#characters = characters;
    if (!this.node) return;
    this.#paintTokens();
    this.#paintCost();
  }

  tick() {
    if (this.node && this.status === 'running') say(this.time, ticking((performance.now() - this.began) / 1000));
  }

  paint() {
    if (!this.node) this.#build();
    const task = this.#task;
    say(this.type, words(task.task_type));
    say(this.service, task.service || NOTHING);
    say(this.model, task.model);
    mark(this.state, ...(this.waits ? ['idle', 'waiting'] : [kindOf(task.status), task.status]));
    say(this.code, this.waits ? 'for a free place at its service' : words((task.error_code ?? '').toLowerCase()));
    if (isOpen(task.status)) this.tick();
    else say(this.time, seconds(task.elapsed));
    if (task.status === 'queued') say(this.time, NOTHING);
    this.#paintTokens();
    this.#paintCost();
    if (isOpen(task.status)) return;
    if (this.stop.contains(document.activeElement)) find('tasks-title').closest('section').querySelector('a')?.focus();
    show(this.stop, false);
    say(this.refusal, '');
  }

  get #guess() {
    return Math.ceil(this.#characters / CHARACTERS_PER_TOKEN);
  }

  #paintCost() {
    const { status, cost, estimate } = this.#task;
    if (!isOpen(status)) {
      say(this.cost, dollars(cost));
      this.cost.title = '';
      return;
    }
    const soFar = estimate && status === 'running' ? estimate.prompt_cost + estimate.token_cost * this.#guess : undefined;
    say(this.cost, soFar === undefined ? NOTHING : soFar ? `≈ ${dollars(soFar)}` : dollars(0));
    this.cost.title = soFar === undefined ? 'Known when the task has ended' : 'So far, by the length of prompt and text';
  }

  #paintTokens() {
    const told = this.#task.tokens;
    const guess = this.#guess;
    say(this.tokens, told !== undefined ? count(told) : guess ? `≈ ${count(guess)}` : NOTHING);
    this.tokens.title = told === undefined && guess ? 'Estimated from the text that has come so far' : '';
  }

  async #cancel() {
    this.stop.disabled = true;
    say(this.stop, 'Stopping …');
    try {
      await ask(`/api/tasks/${this.id}/cancel/`, { method: 'POST' });
    } catch (error) {
      this.stop.disabled = false;
      say(this.stop, 'Stop');
      say(this.refusal, error.message);
    }
  }
}
