// One task with everything that is known of it.

import { ask } from './api.js';
import { element, find, mark, say, show } from './dom.js';
import { moment } from './format.js';
import { attempts, decision, facts, factsOf } from './task_parts.js';
import { isOpen, kindOf } from './task_states.js';
import { complain } from './trouble.js';

const AGAIN = 2000; // while it runs

const id = find('task-id').textContent;

async function load() {
  try {
    const task = await ask(`/api/tasks/${id}/`);
    paint(task);
    if (isOpen(task.status)) setTimeout(load, AGAIN);
  } catch (error) {
    mark(find('state'), 'bad', 'not shown');
    show(find('again'), false);
    complain(error.status === 404 ? { message: 'There is no such task, or it was deleted with an old part of the history.' } : error);
    if (error.status === 404) find('trouble').append(' ', element('a', { href: '/history' }, 'Look in the history'));
  }
  find('task').setAttribute('aria-busy', 'false');
}

function paint(task) {
  mark(find('state'), kindOf(task.status), task.status);
  show(find('stop'), isOpen(task.status));
  const parameters = Object.keys(task.parameters).length ? element('pre', { class: 'command' }, JSON.stringify(task.parameters, null, 2)) : null;
  find('task').replaceChildren(...[
    task.error_detail ? element('p', { class: 'notice bad' }, element('strong', {}, task.error_code), ` ${task.error_detail}`) : null,
    card('What was said', ...conversation(task)),
    card('Figures', facts([
      ...factsOf(task), ['Begun', moment(task.created_at)], ['Ended', task.completed_at ? moment(task.completed_at) : null], ['Asked by', task.client],
      ['Asked for', [task.requested_service, task.requested_model].filter(Boolean).join(' · ')],
    ]), parameters),
    card('Attempts', isOpen(task.status) ? element('p', { class: 'empty' }, 'Told when the task has ended.') : attempts(task.attempts)),
    card('Who was to be asked, and why', decision(task.decision)),
  ].filter(Boolean));
}

const card = (title, ...parts) => element('section', { class: 'card' }, element('h2', {}, title), ...parts);

function conversation(task) {
  const asked = task.messages.length ? task.messages : [{ role: 'user', content: task.prompt }];
  const answered = task.result || task.tool_calls.length || task.reasoning;
  return [
    ...asked.map(message),
    answered ? message({ role: 'assistant', content: task.result, tool_calls: task.tool_calls, reasoning: task.reasoning }) : null,
  ];
}

function message({ role, content, tool_calls: calls, reasoning }) {
  return element('article', { class: `message ${role === 'assistant' ? 'answer' : ''}` },
    element('h3', {}, role),
    reasoning ? element('details', {}, element('summary', {}, 'Reasoning'), element('div', { class: 'text quiet' }, reasoning)) : null,
    ...parts(content),
    ...(calls ?? []).map((call) => element('pre', { class: 'command' }, JSON.stringify(call, null, 2))));
}

// A text, or a list of texts and pictures. Pictures are named, not loaded: their addresses are the caller's.
function parts(content) {
  if (!Array.isArray(content)) return content ? [element('div', { class: 'text' }, String(content))] : [];
  return content.map((part) => (typeof part.text === 'string'
    ? element('div', { class: 'text' }, part.text)
    : element('p', { class: 'note' }, `(${part.type ?? 'something else'}: ${JSON.stringify(part).slice(0, 200)})`)));
}

find('stop').addEventListener('click', async () => {
  find('stop').disabled = true;
  try {
    await ask(`/api/tasks/${id}/cancel/`, { method: 'POST' });
  } catch (error) {
    complain(error);
    find('stop').disabled = false;
  }
});

load();
