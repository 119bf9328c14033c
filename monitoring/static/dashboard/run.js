// One task from its sending to its end, shown at a place of the page while its answer comes.

import { ask, request } from './api.js';
import { element, mark, say, show, taskLink } from './dom.js';
import { seconds, ticking } from './format.js';
import { events } from './sse.js';
import { facts, factsOf } from './task_parts.js';
import { kindOf } from './task_states.js';
import { complain } from './trouble.js';

// A task that was called off ends its stream by itself; where it does not, nobody waits for it.
const PATIENCE = 3000;
const BROKEN = 'The connection broke before the answer was complete. The history has what came of it.';

// A `place` has the elements progress, clock, thoughts, reasoning, answer, facts and trouble. It may be `without` some of the
// facts, and have `told`, which gets the task when it is known, or null and the attempts of one that is not.
export class Run {
  id = null;
  #abort = new AbortController();
  #began = performance.now();
  #first = null;
  #whole = null;
  #answer = document.createTextNode('');
  #thoughts = document.createTextNode('');
  #waiting = { text: '', reasoning: '' };
  #painting = null;
  #clock = null;

  constructor(place) {
    this.place = place;
  }

  async go(asked) {
    this.#open();
    try {
      const answer = await request('/api/tasks/execute/', { method: 'POST', body: { ...asked, stream: true }, signal: this.#abort.signal });
      let ended = false;
      for await (const { name, data } of events(answer)) {
        this.#take(name, data);
        ended ||= name === 'done' || name === 'error';
      }
      if (!ended) this.#fail({ message: BROKEN, body: {} });
    } catch (error) {
      if (error.name === 'AbortError') this.#close('cancelled', 'stopped');
      else this.#fail(error.body ? error : { message: BROKEN, body: {} });
    } finally {
      clearInterval(this.#clock);
      say(this.place.clock, '');
      this.#paint();
      this.place.answer.setAttribute('aria-busy', 'false');
    }
  }

  async stop() {
    mark(this.place.progress, 'idle', 'Stopping …');
    const timer = setTimeout(() => this.#abort.abort(), this.id ? PATIENCE : 0);
    if (!this.id) return;
    try {
      await ask(`/api/tasks/${this.id}/cancel/`, { method: 'POST' });
    } catch {
      // It has ended already, or the connection says so when it is cut.
      clearTimeout(timer);
      this.#abort.abort();
    }
  }

  #open() {
    const { place } = this;
    place.run = this;
    show(place.trouble, false);
    show(place.thoughts, false);
    place.answer.replaceChildren(this.#answer);
    place.reasoning.replaceChildren(this.#thoughts);
    place.facts.replaceChildren();
    place.answer.setAttribute('aria-busy', 'true');
    mark(place.progress, 'busy', 'Waiting for the first word …');
    this.#clock = setInterval(() => this.#tick(), 200);
  }

  #tick() {
    say(this.place.clock, ticking((performance.now() - this.#began) / 1000));
  }

  #take(name, data) {
    if (name === 'task') {
      this.id = data.task_id;
      if (data.service) mark(this.place.progress, 'busy', `${data.service}${data.model ? ` · ${data.model}` : ''} answers …`);
    } else if (name === 'delta') {
      this.#first ??= performance.now() - this.#began;
      if (data.text) this.#waiting.text += data.text;
      if (data.reasoning) this.#waiting.reasoning += data.reasoning;
      this.#painting ??= requestAnimationFrame(() => this.#paint());
    } else if (name === 'done') {
      this.id = data.task_id;
      this.#close(data.status, `${data.status} in ${seconds(this.#seen() / 1000)}`);
      this.#tell(data);
    } else if (name === 'error') {
      this.#fail({ message: data.detail, body: data });
    }
  }

  // Once a frame, however many pieces have come: each changes the layout.
  #paint() {
    cancelAnimationFrame(this.#painting);
    this.#painting = null;
    this.#answer.appendData(this.#waiting.text);
    if (this.#waiting.reasoning) show(this.place.thoughts, true);
    this.#thoughts.appendData(this.#waiting.reasoning);
    this.#waiting = { text: '', reasoning: '' };
  }

  #close(status, text) {
    this.#paint();
    mark(this.place.progress, kindOf(status), text);
    if (!this.#answer.data) this.place.answer.replaceChildren(element('span', { class: 'empty' }, 'No text came.'));
  }

  // Milliseconds from the sending to the end, as the first token is told: by the browser's clock.
  #seen() {
    this.#whole ??= performance.now() - this.#began;
    return this.#whole;
  }

  #fail(error) {
    this.#seen();
    this.#close('failed', 'failed');
    complain(error, this.place.trouble);
    const { task_id: id, attempts: asked } = error.body;
    if (id) this.#tell({ task_id: id }, asked);
  }

  async #tell(answered, asked = []) {
    if (answered.usage) this.#showFacts(answered);
    try {
      const task = await ask(`/api/tasks/${answered.task_id}/`);
      if (this.place.run !== this) return; // another one is shown by now
      this.#showFacts(task);
      this.place.told?.(task);
    } catch {
      this.place.told?.(null, asked);
    }
  }

  #showFacts(task) {
    const first = this.#first === null ? null : seconds(this.#first / 1000);
    const link = element('span', {}, taskLink(task.task_id));
    const told = factsOf(task).map((row) => (row[0] === 'Time' ? ['Time', seconds(this.#seen() / 1000), `${seconds(task.execution_time)} as Oxide measured it`] : row));
    const rows = [...told, ['Time to first token', first, 'as this page saw it'], ['Task', link]];
    this.place.facts.replaceChildren(facts(rows.filter(([name]) => !this.place.without?.includes(name))));
  }
}
