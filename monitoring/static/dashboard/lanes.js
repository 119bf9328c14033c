// Who is asked in which order, as lanes of boxes: one for each task type that has rules, and one for all others. Each is a
// numbered list with arrows between its items, so that it reads as well as it looks.

import { element, state } from './dom.js';
import { percent, plural, words } from './format.js';
import { BREAKERS, healthOf, reasonOf } from './service_table.js';

// `rules` and `order` as GET /api/routing/rules/ has them, `services` as GET /api/services/; `edit` has the addresses of the
// admin pages, or is null for whoever may not change rules.
export function lanes(rules, order, services, edit) {
  const serviceOf = (name) => services[name] ?? null;
  const byType = grouped(rules, 'task_type');
  const own = [...byType].map(([type, its]) => ruleLane(type, its, order, serviceOf, edit));
  return [...own, defaultLane(order, serviceOf, byType.size > 0)];
}

function ruleLane(type, rules, order, serviceOf, edit) {
  const steps = [...grouped(rules, 'priority')].map(([priority, equals]) => ruleStep(priority, equals, serviceOf, edit));
  const rest = restOf(type, rules, order, serviceOf);
  const add = edit ? element('a', { href: `${edit.add}?task_type=${type}` }, `Add a rule for ${words(type).toLowerCase()}`) : null;
  return lane(type, words(type), plural(rules.length, 'rule'), [...steps, rest], add);
}

function grouped(rules, field) {
  const groups = new Map();
  for (const rule of rules) groups.set(rule[field], [...(groups.get(rule[field]) ?? []), rule]);
  return groups;
}

// The boxes of one priority: where there are several, chance decides between them by weight. The likeliest stands first.
function ruleStep(priority, rules, serviceOf, edit) {
  const drawn = rules.filter((rule) => rule.enabled && isUsable(serviceOf(rule.service)));
  const boxes = [...rules].sort((one, other) => other.weight - one.weight).map((rule) => {
    const service = serviceOf(rule.service);
    const name = edit ? element('a', { href: `${edit.rule}${encodeURIComponent(rule.id)}/change/` }, rule.id) : rule.id;
    const lines = [
      element('span', {}, 'Rule ', name),
      rules.length > 1 && rule.enabled ? element('span', {}, weightOf(rule, drawn)) : null,
      rule.note ? element('span', {}, rule.note) : null,
    ];
    return { ...box(rule.service, rule.model, service, lines, rule.enabled ? '' : 'rule switched off'), weight: rule.weight };
  });
  return step(`Priority ${priority}${rules.filter((rule) => rule.enabled).length > 1 ? ', by chance' : ''}`, boxes);
}

// `drawn` are those that could be asked now: chance decides between them alone.
function weightOf(rule, drawn) {
  if (!rule.weight) return 'Weight 0: when the others fail';
  const sum = drawn.reduce((all, each) => all + each.weight, 0);
  return drawn.length > 1 && drawn.includes(rule) ? `Weight ${rule.weight} of ${sum}: first in ${percent((rule.weight / sum) * 100)}` : `Weight ${rule.weight}`;
}

// What follows on the rules of a type: the default order, without those that were asked already or are for other types.
// Those that are not ready keep their place here, and are called last.
function restOf(type, rules, order, serviceOf) {
  const asked = new Set(rules.filter((rule) => rule.enabled).map((rule) => rule.service));
  const left = order.filter((name) => !asked.has(name) && isFor(serviceOf(name), type));
  const first = left.find((name) => isUsable(serviceOf(name)));
  const lines = left.map((name) => element('div', { class: 'line' }, element('strong', {}, name),
    isUsable(serviceOf(name)) ? null : stateOf(serviceOf(name), '')[0]));
  const node = element('div', { class: 'box' }, ...(lines.length ? lines : [element('span', { class: 'note' }, 'Nobody else.')]));
  const choose = () => {
    node.classList.add('chosen');
    lines[left.indexOf(first)].append(element('span', { class: 'first' }, 'asked first'));
  };
  return { node: item('Then the default order', node), isUsable: Boolean(first), isCallable: left.some((name) => isCallable(serviceOf(name))), choose };
}

// Called in its place; one that is callable but not ready is called after all others.
const isUsable = (service) => isCallable(service) && !service.obstacle;

const isCallable = (service) => service !== null && service.enabled && service.obstacle_code !== 'no_key';

const isFor = (service, type) => !service?.capabilities.length || service.capabilities.includes(type);

function defaultLane(order, serviceOf, isAfterRules) {
  const title = isAfterRules ? 'Every other type of task' : 'Every task';
  const steps = order.map((name, place) => {
    const service = serviceOf(name);
    const types = service?.capabilities.map((type) => words(type).toLowerCase()).join(', ');
    return step(`Place ${place + 1}`, [box(name, '', service, [types ? element('span', {}, `Only for ${types}`) : null], '', Boolean(types))]);
  });
  return lane('default', title, 'the default order', steps, null,
    'The default order is empty: a task that no rule covers fails. Add services to it in the admin pages, or as routing.default in config/default.yaml.');
}

function lane(id, title, note, steps, more, empty) {
  steps.find((each) => each.isUsable)?.choose();
  const isWell = !steps.length || steps.some((each) => each.isUsable || each.isPartial);
  const trouble = steps.some((each) => each.isCallable) ? 'None of them is ready: they are called all the same' : 'None of them can be called now';
  return element('section', { class: 'card lane', 'aria-labelledby': `lane-${id}` },
    element('div', { class: 'line' }, element('h2', { id: `lane-${id}` }, title), element('span', { class: 'note' }, note)),
    steps.length ? element('ol', { role: 'list' }, ...steps.map((each) => each.node)) : element('p', { class: 'empty' }, empty),
    isWell ? null : element('p', {}, state('bad', trouble)),
    more ? element('p', { class: 'note' }, more) : null);
}

// `isUsable` says that it could be asked for every task of the lane, `isPartial` that for some of them.
function step(label, boxes) {
  const usable = boxes.filter((each) => each.isUsable);
  const drawn = usable.filter((each) => each.weight !== 0);
  const first = drawn.length ? drawn : usable.slice(0, 1);
  return {
    node: item(label, ...boxes.map((each) => each.node)),
    isUsable: usable.length > 0,
    isPartial: boxes.some((each) => each.isPartial),
    isCallable: boxes.some((each) => each.isCallable),
    choose: () => first.forEach((each) => each.choose(first.length > 1 ? 'one of these is asked first' : 'asked first')),
  };
}

const item = (label, ...boxes) => element('li', {}, element('p', { class: 'note' }, label), ...boxes);

// `off` says why the rule itself does not count; `isPartial` that the service is not for every task of the lane.
function box(name, model, service, lines, off, isPartial = false) {
  const isIn = !off && isUsable(service);
  const isLast = !off && !isIn && isCallable(service);
  const place = element('span', { class: 'first' });
  const node = element('div', { class: 'box' }, element('span', { class: 'name' }, name), place,
    service ? element('span', { class: 'note' }, model || service.info.model || service.info.type) : null,
    ...stateOf(service, off),
    ...lines.filter(Boolean).map((line) => element('span', { class: 'note' }, line)));
  if (!isIn && !isLast) node.classList.add('out');
  const choose = (text) => {
    node.classList.add('chosen');
    place.append(text);
  };
  return { node, isUsable: isIn && !isPartial, isPartial: isIn && isPartial, isCallable: isIn || isLast, choose };
}

function stateOf(service, off) {
  if (off) return [state('idle', off)];
  if (!service) return [state('bad', 'no longer there')];
  const breaker = service.enabled && service.breaker !== 'closed' ? state(...BREAKERS[service.breaker]) : null;
  const reason = service.enabled && service.state_detail ? element('span', { class: 'note' }, reasonOf(service)) : null;
  return [state(...healthOf(service)), breaker, reason].filter(Boolean);
}
