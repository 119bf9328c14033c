// What was spent, as tables. A cost that nobody knows is told as such, and never shown as none.

import { cell, drawing, element } from './dom.js';
import { NOTHING, count, dollars, percent, plural } from './format.js';
import { BASES } from './task_states.js';

// What is known of a cost, and how many requests it leaves out.
export function costOf({ cost, requests, by_basis: { unknown } }) {
  return { text: requests > 0 && unknown.requests === requests ? 'unknown' : dollars(cost), left: requests > unknown.requests ? unknown.requests : 0 };
}

// `groups` are [name, figures]; `total` their sum, of which each is a share.
export function costTable(label, groups, total) {
  return table(label, ['Cost', 'Share of cost', 'Requests', 'Tokens'], groups.map(([name, figures]) => {
    const { text, left } = costOf(figures);
    const share = total.cost > 0 && text !== 'unknown' ? (figures.cost / total.cost) * 100 : null;
    return row(name, basesOf(figures), [
      [text, left ? `and ${count(left)} unknown` : null],
      [percent(share), bar(share)],
      [count(figures.requests)],
      [count(figures.tokens)],
    ]);
  }));
}

export function basisTable(total) {
  return table('How sure the costs are', ['Share of requests', 'Requests', 'Tokens', 'Cost'], Object.entries(BASES).map(([basis, meaning]) => {
    const part = total.by_basis[basis];
    const share = (part.requests / total.requests) * 100;
    return row(basis, meaning, [
      [percent(share), bar(share, basis)],
      [count(part.requests)],
      [count(part.tokens)],
      [!part.requests ? NOTHING : basis === 'unknown' ? 'unknown' : dollars(part.cost)],
    ]);
  }));
}

// Of how many requests the cost is on which basis.
const basesOf = ({ by_basis: parts, requests }) => Object.entries(parts).filter(([, part]) => part.requests)
  .map(([basis, part]) => (part.requests === requests ? basis : `${count(part.requests)} ${basis}`)).join(', ');

function table(label, columns, rows) {
  const heads = ['', ...columns].map((name, place) => element('th', { role: 'columnheader', scope: 'col', class: place ? 'number' : null },
    name || element('span', { class: 'unseen' }, 'Name')));
  for (const made of rows) made.forEach((each, place) => place && each.setAttribute('data-label', columns[place - 1].split(' ')[0]));
  return element('table', { role: 'table', class: 'cards costs', 'aria-label': label },
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...heads)),
    element('tbody', { role: 'rowgroup' }, ...rows.map((made) => element('tr', { role: 'row' }, ...made))));
}

function row(name, note, cells) {
  const head = element('th', { role: 'rowheader', scope: 'row' }, element('span', { class: 'name' }, name), note ? element('span', { class: 'note' }, note) : null);
  return [head, ...cells.map(([text, more]) => cell('', { class: 'number' }, element('span', {}, text),
    typeof more === 'string' ? element('span', { class: 'note' }, more) : more))];
}

function bar(share, kind = '') {
  if (share === null || share === undefined) return null;
  return drawing('svg', { class: `bar share ${kind}`, viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    drawing('rect', { class: 'track', width: '100', height: '6' }),
    drawing('rect', { class: 'span-of', width: share.toFixed(2), height: '6' }));
}

export const summary = (figures) => {
  if (!figures.requests) return 'no requests';
  const { text, left } = costOf(figures);
  return `${text}${left ? ` and ${plural(left, 'request')} of unknown cost` : ''}, ${plural(figures.requests, 'request')}, ${plural(figures.tokens, 'token')}`;
};
