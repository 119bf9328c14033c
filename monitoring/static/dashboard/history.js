// The tasks of before, a page at a time. What is looked for stands in the address, so that it can be kept and shared.

import { ask } from './api.js';
import { cell, element, find, say, show, state } from './dom.js';
import { NOTHING, count, cut, dollars, moment, plural, seconds, words } from './format.js';
import { isOpen, kindOf } from './task_states.js';
import { calm, complain } from './trouble.js';

const PAGE = 25;
const FIELDS = ['status', 'service', 'task_type', 'search', 'after', 'before'];
const DAY = 86_400_000;
// A text is looked for among so many tasks at first: each of their prompts and answers has to be read for it.
const NEWEST = 100_000;

const form = find('filters');
let offset = 0;
let everywhere = false;
let latest = 0;
let painted = false;

// What is looked for, as the API has it.
function filters() {
  const wanted = new URLSearchParams();
  for (const name of ['status', 'service', 'task_type', 'search']) {
    const value = form.elements[name].value.trim();
    if (value) wanted.set(name, value);
  }
  // Days as they are here, where the page is looked at.
  const { after, before } = form.elements;
  if (after.value) wanted.set('created_after', new Date(`${after.value}T00:00`).toISOString());
  if (before.value) wanted.set('created_before', new Date(new Date(`${before.value}T00:00`).getTime() + DAY).toISOString());
  return wanted;
}

const portion = (wanted, limit, start) => ask(`/api/tasks/history/?${new URLSearchParams([...wanted, ['limit', limit], ['offset', start]])}`);

// Has a text looked for among the newest tasks only, of those that the other filters leave. Tells what was left out.
async function narrow(wanted) {
  if (everywhere || !wanted.has('search')) return null;
  const others = new URLSearchParams(wanted);
  others.delete('search');
  const { total, tasks: [last] } = await portion(others, 1, NEWEST - 1);
  if (!last || total <= NEWEST) return null;
  wanted.set('created_after', last.created_at);
  return { total, since: last.created_at };
}

async function load() {
  const mine = (latest += 1);
  find('list').setAttribute('aria-busy', 'true');
  try {
    const wanted = filters();
    const left = await narrow(wanted);
    const page = await portion(wanted, PAGE, offset);
    if (mine !== latest) return;
    paint(page, wanted);
    show(find('narrow'), left !== null);
    if (left) say(find('searched'), `The newest ${count(NEWEST)} of ${count(left.total)} tasks were searched, back to ${moment(left.since)}.`);
    calm();
  } catch (error) {
    if (mine === latest) {
      complain(error);
      say(find('found'), '');
      if (!painted) show(find('none'), false);
    }
  }
  if (mine === latest) find('list').setAttribute('aria-busy', 'false');
}

function paint({ total, tasks }, wanted) {
  painted = true;
  say(find('found'), `${plural(total, 'task')}${isFiltered() ? ' found' : ''}`);
  find('tasks').tBodies[0].replaceChildren(...tasks.map(row));
  show(find('tasks'), tasks.length > 0);
  show(find('none'), tasks.length === 0);
  say(find('none'), isFiltered() ? 'Nothing matches. Clear a filter to see more.' : 'No task has been done yet. Try one.');
  show(find('paging'), total > PAGE);
  say(find('place'), `${count(offset + 1)} to ${count(offset + tasks.length)} of ${count(total)}`);
  find('newer').disabled = offset === 0;
  find('older').disabled = offset + PAGE >= total;
  show(find('export'), total > 0);
  for (const form of ['csv', 'json']) find(`export-${form}`).href = `/api/tasks/export/?${new URLSearchParams([['as', form], ...wanted])}`;
}

function row(task) {
  const prompt = element('a', { href: `/history/${task.id}`, class: 'prompt' }, cut(task.prompt.trim(), 140) || '(no text)');
  return element('tr', { role: 'row' },
    element('th', { role: 'rowheader', scope: 'row' }, prompt, element('span', { class: 'note' }, [words(task.task_type), task.client].filter(Boolean).join(' · '))),
    cell('Service', { class: 'wide' }, task.service_used || NOTHING, element('span', { class: 'note' }, task.model_used)),
    cell('Begun', { class: 'wide when' }, element('time', { datetime: task.created_at }, moment(task.created_at))),
    cell('State', {}, state(kindOf(task.status), task.status), element('span', { class: 'note' }, words(task.error_code.toLowerCase()))),
    cell('Time', { class: 'number' }, seconds(task.execution_time)),
    cell('Tokens', { class: 'number' }, isOpen(task.status) ? NOTHING : count(task.tokens_used)),
    cell('Cost', { class: 'number' }, isOpen(task.status) ? NOTHING : dollars(task.cost)));
}

const isFiltered = () => FIELDS.some((name) => form.elements[name].value.trim());

// The address

function remember() {
  const kept = new URLSearchParams();
  for (const name of FIELDS) if (form.elements[name].value.trim()) kept.set(name, form.elements[name].value.trim());
  if (everywhere) kept.set('everywhere', 'yes');
  if (offset) kept.set('offset', offset);
  const address = kept.size ? `?${kept}` : location.pathname;
  if (address !== (location.search || location.pathname)) history.pushState(null, '', address);
}

function recall() {
  const kept = new URLSearchParams(location.search);
  for (const name of FIELDS) {
    const field = form.elements[name];
    const value = kept.get(name) ?? '';
    // A service that is no more still has its tasks.
    if (name === 'service' && value && ![...field.options].some((option) => option.value === value)) field.append(element('option', { value }, value));
    field.value = value;
  }
  everywhere = kept.has('everywhere');
  offset = Math.max(0, Number.parseInt(kept.get('offset'), 10) || 0);
}

function go(to) {
  offset = Math.max(0, to);
  remember();
  load();
}

function look(where = 'newest') {
  everywhere = where === 'everywhere';
  go(0);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  look();
});
form.addEventListener('reset', () => setTimeout(look));
form.addEventListener('change', (event) => event.target.tagName === 'SELECT' && look());
find('everywhere').addEventListener('click', () => look('everywhere'));
for (const [id, step] of [['newer', -PAGE], ['older', PAGE]]) {
  find(id).addEventListener('click', () => {
    go(offset + step);
    find('list').scrollIntoView({ block: 'start' });
  });
}
addEventListener('popstate', () => {
  recall();
  load();
});

recall();
load();
try {
  const { services } = await ask('/api/services/');
  const there = [...form.elements.service.options].map((option) => option.value);
  form.elements.service.append(...Object.keys(services).filter((name) => !there.includes(name)).map((name) => element('option', { value: name }, name)));
} catch (error) {
  complain(error);
}
