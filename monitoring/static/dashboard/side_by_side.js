// The same task for several services at once: which ones, and a column for each.

import { element, find, say, show, state } from './dom.js';
import { Run } from './run.js';

const FEWEST = 2;
const MOST = 4;

const boxes = () => [...find('choices').querySelectorAll('input')];

// The services that are ticked, where these are enough to be compared.
export function chosen() {
  const names = boxes().filter((box) => box.checked).map((box) => box.value);
  return names.length >= FEWEST ? names : [];
}

// `changed` is called whenever it may be others.
export function offer(names, ticked, changed) {
  if (names.length < FEWEST) return;
  find('choices').replaceChildren(...names.map((name) => element('label', { class: 'choice' },
    element('input', { type: 'checkbox', value: name, checked: ticked.includes(name) }), element('span', {}, name))));
  show(find('beside'), true);
  const settle = () => {
    const number = boxes().filter((box) => box.checked).length;
    for (const box of boxes()) box.disabled = !box.checked && number >= MOST;
    say(find('beside-note'), number === 1 ? 'Tick one more.' : number >= MOST ? `${MOST} are the most.` : '');
    changed();
  };
  find('choices').addEventListener('change', settle);
  settle();
}

// Asks all of them with what `asked` makes for each, and ends when the last one has ended.
export class Comparison {
  constructor(names) {
    this.columns = names.map((name) => new Column(name));
    find('columns').replaceChildren(...this.columns.map((column) => column.node));
  }

  async go(asked) {
    await Promise.all(this.columns.map((column) => column.go(asked(column.name))));
  }

  stop() {
    for (const column of this.columns) column.stop();
  }
}

class Column {
  without = ['Service', 'Task type'];
  #run = new Run(this);

  constructor(name) {
    this.name = name;
    this.title = element('h2', { tabindex: '-1' }, name);
    this.progress = state('idle', '');
    this.clock = element('span', { class: 'note number', 'aria-hidden': 'true' });
    this.button = element('button', { type: 'button', class: 'stop', 'aria-label': `Stop ${name}` }, 'Stop');
    this.reasoning = element('div', { class: 'text quiet' });
    this.thoughts = element('details', { class: 'thoughts', hidden: true }, element('summary', {}, 'Reasoning'), this.reasoning);
    this.answer = element('div', { class: 'text answer', 'aria-busy': 'false' });
    this.trouble = element('p', { class: 'notice bad', role: 'alert', hidden: true });
    this.facts = element('div');
    this.node = element('section', { class: 'card column', 'aria-label': `Answer of ${name}` },
      element('div', { class: 'line' }, this.title, this.button),
      element('div', { class: 'line' }, element('p', { role: 'status' }, this.progress), this.clock),
      this.thoughts, this.answer, this.trouble, this.facts);
    this.button.addEventListener('click', () => this.stop());
  }

  async go(asked) {
    await this.#run.go(asked);
    if (document.activeElement === this.button) this.title.focus({ preventScroll: true });
    show(this.button, false);
  }

  stop() {
    if (this.button.hidden || this.button.disabled) return;
    this.button.disabled = true;
    this.#run.stop();
  }
}
