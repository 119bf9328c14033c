// What is known of one task, as parts of a page. All that a model or a provider said goes in as text.

import { drawing, element, state } from './dom.js';
import { NOTHING, count, dollars, milliseconds, percent, plural, seconds, words } from './format.js';
import { BASES, isOpen, kindOf } from './task_states.js';

// `rows` are [name, value, note]; those without a value are left out.
export function facts(rows) {
  const list = element('dl', { class: 'facts' });
  for (const [name, value, note] of rows) {
    if (value === null || value === undefined || value === '') continue;
    list.append(element('div', {}, element('dt', {}, name),
      element('dd', {}, value, note ? element('span', { class: 'note' }, note) : null)));
  }
  return list;
}

export function factsOf(task) {
  const { usage } = task;
  const tokens = count(usage.total_tokens);
  const more = [
    `${count(usage.prompt_tokens)} prompt, ${count(usage.completion_tokens)} answer`,
    usage.reported ? null : 'estimated',
    usage.cached_tokens ? `${count(usage.cached_tokens)} cached` : null,
    usage.reasoning_tokens ? `${count(usage.reasoning_tokens)} reasoning` : null,
  ];
  return [
    ['Service', task.service_used],
    ['Model', task.model_used],
    ['Task type', words(task.task_type), task.confidence === null || task.confidence === undefined ? null : `classified, ${percent(task.confidence * 100)} sure`],
    ['Time', seconds(task.execution_time)],
    ['Tokens', isOpen(task.status) ? null : tokens, more.filter(Boolean).join(', ')],
    ['Cost', isOpen(task.status) ? null : dollars(task.cost), BASES[task.cost_basis]],
    ['Finish reason', task.finish_reason],
  ];
}

// Who was to be asked, in order, and why the others were not. As in a task's decision and in /api/routing/explain/.
export function decision({ candidates = [], skipped = [] }) {
  const chosen = candidates.map((each) => element('li', {}, element('strong', {}, each.service), each.model ? ` · ${each.model}` : '',
    element('span', { class: 'note' }, reasonAndCost(each))));
  const others = skipped.map((each) => element('li', {}, element('strong', {}, each.service), ` ${each.reason}`));
  return element('div', { class: 'columns' },
    element('div', {}, element('h3', {}, 'In this order'),
      chosen.length ? element('ol', {}, ...chosen) : element('p', { class: 'empty' }, 'Nobody could be asked.')),
    others.length ? element('div', {}, element('h3', {}, 'Left out'), element('ul', {}, ...others)) : null);
}

// The service is named before it, and a sentence of the service's state may end it.
function reasonAndCost(candidate) {
  const { service, estimated_cost: cost } = candidate;
  const reason = reasonOf(candidate).replace(`last resort: ${service} `, 'last resort: ').replace(/\.$/, '');
  if (cost === undefined) return reason;
  return `${reason}; ${cost === null ? 'cost unknown' : `about ${dollars(cost)}`}`;
}

// "Rule" is not said twice.
export const reasonOf = ({ reason, rule_id: rule }) => (rule?.startsWith('rule-') ? reason.replace(`rule ${rule}`, rule) : reason);

// Each attempt with its time as a bar below those before it.
export function attempts(rows) {
  if (!rows.length) return element('p', { class: 'empty' }, 'No service was asked.');
  const begin = Math.min(...rows.map(beginOf));
  const ends = rows.map((row) => beginOf(row) + (row.latency_ms ?? 0));
  const length = Math.max(1, Math.max(...ends) - begin);
  return element('ol', { class: 'attempts' }, ...rows.map((row) => attempt(row, beginOf(row) - begin, length)));
}

// In milliseconds, with the fraction that a Date leaves out.
const beginOf = ({ started_at: text }) => Date.parse(text) + Number(`0.${/\.\d{3}(\d+)/.exec(text)?.[1] ?? 0}`);

function attempt(row, offset, length) {
  const kind = kindOf(row.status);
  const bar = drawing('svg', { class: `bar ${kind}`, viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    drawing('rect', { class: 'track', width: '100', height: '6' }),
    drawing('rect', { class: 'span-of', x: ((offset / length) * 100).toFixed(2), width: Math.max(0.8, ((row.latency_ms ?? 0) / length) * 100).toFixed(2), height: '6' }));
  return element('li', {},
    element('div', { class: 'line' }, element('strong', {}, row.service), element('span', {}, row.model || NOTHING), state(kind, row.status),
      element('span', { class: 'note' }, toldOf(row, offset))),
    bar,
    row.error ? element('p', { class: 'note bad' }, row.error) : null);
}

function toldOf(row, offset) {
  const tokens = row.usage.total_tokens;
  return [
    offset >= 0.1 ? `after ${milliseconds(offset)}` : null,
    `took ${milliseconds(row.latency_ms)}`,
    tokens ? plural(tokens, 'token') : null,
    tokens ? (row.cost === null ? 'cost unknown' : dollars(row.cost)) : null,
  ].filter(Boolean).join(', ');
}
