// Bars by day. Those of the cost are stacked by how sure it is; days with requests of unknown cost have a mark below the
// bars, because nobody knows how high these would be.

import { summary } from './cost_table.js';
import { drawing, element } from './dom.js';
import { count, date, dollars } from './format.js';

const HEIGHT = 100;
const STEP = 10;
const WIDTH = 8;
const LEAST = 1.5; // what is more than nothing can be seen
const SURE = ['reported', 'computed', 'estimated'];

const MEASURES = {
  cost: { parts: ({ by_basis: bases }) => SURE.map((basis) => [basis, bases[basis].cost]), value: (day) => day.cost, format: dollars, name: 'Cost by day' },
  tokens: { parts: (day) => [['tokens', day.tokens]], value: (day) => day.tokens, format: count, name: 'Tokens by day' },
};

// `days` are the groups of GET /api/monitoring/costs/?group_by=day.
export function dayChart(days, measure) {
  const { parts, value, format, name } = MEASURES[measure];
  const most = Math.max(...days.map(value));
  const scale = roundUp(most);
  const isMarked = measure === 'cost' && days.some((day) => day.by_basis.unknown.requests);
  const top = days.reduce((best, day) => (value(day) > value(best) ? day : best));
  const label = most > 0
    ? `${name}, from ${date(days[0].key)} to ${date(days.at(-1).key)}: at most ${format(most)}, on ${date(top.key)}`
    : `${name}: nothing is known`;
  const shape = { viewBox: `0 0 ${days.length * STEP} ${HEIGHT}`, preserveAspectRatio: 'none' };
  return element('figure', { class: 'days' },
    // Without any figure there is no scale, least of all one of nought.
    element('div', { class: 'scale', 'aria-hidden': 'true' }, ...(most > 0 ? [scale, scale / 2, 0] : []).map((each) => element('span', {}, format(each)))),
    drawing('svg', { ...shape, class: 'plot', role: 'img', 'aria-label': label },
      ...[0, HEIGHT / 2, HEIGHT].map((y) => drawing('line', { class: 'grid', x1: 0, x2: days.length * STEP, y1: y, y2: y })),
      ...days.map((day, place) => column(day, place, parts(day), scale))),
    isMarked ? drawing('svg', { ...shape, class: 'marks', 'aria-hidden': 'true' }, ...days.map(mark)) : null,
    element('div', { class: 'ends', 'aria-hidden': 'true' }, element('span', {}, date(days[0].key)), element('span', {}, date(days.at(-1).key))),
    element('figcaption', { class: 'note' }, ...legend(days, measure, isMarked)));
}

// The next figure that is round, and so is its half: 1, 2, 4, 6 or 10 of a power of ten.
function roundUp(value) {
  if (!(value > 0)) return value;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 10].find((step) => step * power >= value) * power;
}

function column(day, place, parts, scale) {
  let foot = HEIGHT;
  const blocks = parts.filter(([, part]) => part > 0).map(([kind, part]) => {
    const height = Math.max((part / scale) * HEIGHT, LEAST);
    foot = Math.max(0, foot - height);
    return drawing('rect', { class: `block ${kind}`, x: place * STEP + 1, y: foot.toFixed(2), width: WIDTH, height: height.toFixed(2) });
  });
  return drawing('g', {}, ...blocks,
    drawing('rect', { class: 'whole', x: place * STEP, y: 0, width: STEP, height: HEIGHT }, drawing('title', {}, `${date(day.key)}: ${summary(day)}`)));
}

function mark(day, place) {
  return day.by_basis.unknown.requests
    ? drawing('rect', { class: 'block unknown', x: place * STEP + 1, y: 0, width: WIDTH, height: HEIGHT })
    : drawing('g');
}

function legend(days, measure, isMarked) {
  if (measure !== 'cost') return ['Tokens of prompts and answers. The last day is not over yet.'];
  const used = SURE.filter((basis) => days.some((day) => day.by_basis[basis].cost > 0));
  const keys = used.map((basis) => key(basis, basis));
  return [...keys, ...(isMarked ? [key('unknown', 'with requests of unknown cost')] : []), element('span', {}, 'The last day is not over yet.')];
}

const key = (kind, text) => element('span', { class: 'key' },
  drawing('svg', { viewBox: '0 0 10 10', 'aria-hidden': 'true' }, drawing('rect', { class: `block ${kind}`, width: 10, height: 10 })), text);
