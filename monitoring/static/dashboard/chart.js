// Small charts of the last hour, drawn as SVG: a line over time, or a bar for each minute.

import { drawing, element } from './dom.js';
import { clock } from './format.js';

const WIDTH = 240;
const HEIGHT = 40;
const EDGE = 1.5;
const SPAN = 3_600_000;

// `points` are [moment, value], null where nothing is known. `top` is the least that the full height stands for; a step
// longer than `gap` breaks the line.
export function chart(place, points, { name, top, format, end, gap }) {
  const seen = points.filter(([moment, value]) => value !== null && moment >= end - SPAN);
  const values = seen.map(([, value]) => value);
  const most = Math.max(top, ...values);
  const x = (moment) => (Math.min(1, 1 - (end - moment) / SPAN) * WIDTH).toFixed(1);
  const y = (value) => (HEIGHT - EDGE - (value / most) * (HEIGHT - 2 * EDGE)).toFixed(1);
  const shapes = runs(seen, gap).map((run) => {
    const line = run.map(([moment, value]) => `${x(moment)},${y(value)}`).join(' ');
    // A moment on its own is drawn as a short dash.
    const whole = run.length > 1 ? line : `${x(run[0][0] - gap / 4)},${y(run[0][1])} ${x(run[0][0] + gap / 4)},${y(run[0][1])}`;
    const [first, last] = [whole.split(',')[0], whole.split(' ').at(-1).split(',')[0]];
    return drawing('g', {},
      drawing('polygon', { class: 'area', points: `${first},${HEIGHT} ${whole} ${last},${HEIGHT}` }),
      drawing('polyline', { class: 'line', points: whole }));
  });
  const told = seen.length
    ? `${format(Math.min(...values))} to ${format(Math.max(...values))}, last ${format(values.at(-1))}`
    : 'nothing yet';
  draw(place, shapes, `${name}, last hour: ${told}`, seen.length ? peak(seen, format) : '');
}

// `points` are [moment, value, part], a bar each of `kind`; the `part` of it, which went wrong, stands out.
export function bars(place, points, { name, format, part, kind = 'bar', none = 'none' }) {
  const most = Math.max(...points.map(([, value]) => value));
  const step = WIDTH / points.length;
  const height = (value) => Math.max((value / most) * (HEIGHT - EDGE), value > 0 ? EDGE : 0);
  const bar = (look, index, value, ...inside) => drawing('rect', {
    class: look, x: (index * step + step * 0.12).toFixed(1), y: (HEIGHT - height(value)).toFixed(1),
    width: (step * 0.76).toFixed(1), height: height(value).toFixed(1),
  }, ...inside);
  const shapes = points.flatMap(([moment, value, wrong], index) => {
    if (!value) return [];
    const told = drawing('title', {}, `${clock(moment)}: ${format(value)}${wrong ? `, ${format(wrong)} ${part}` : ''}`);
    return [bar(kind, index, value, told), ...(wrong ? [bar('bar wrong', index, wrong, told.cloneNode(true))] : [])];
  });
  const sum = points.reduce((all, [, value]) => all + value, 0);
  const failed = points.reduce((all, [, , wrong]) => all + (wrong ?? 0), 0);
  const told = sum
    ? `${format(sum)} in all${failed ? `, ${format(failed)} ${part}` : ''}, at ${peak(points, (value) => `${format(value)} a minute`)}, ` +
      `${format(points.at(-1)[1])} in this minute`
    : none;
  draw(place, shapes, `${name}, last hour: ${told}`, sum ? peak(points, (value) => `${format(value)}/min`) : '');
}

function peak(points, format) {
  const [moment, value] = points.reduce((one, other) => (other[1] > one[1] ? other : one));
  return `most ${format(value)}, ${clock(moment)}`;
}

// What it stands for is said below it, and to screen readers in its name.
function draw(place, shapes, label, scale) {
  place.replaceChildren(
    drawing('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
      drawing('line', { class: 'ground', x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }), ...shapes),
    element('span', { class: 'scale', 'aria-hidden': 'true' }, scale || '\u00a0'));
}

function runs(points, gap) {
  const found = [];
  for (const point of points) {
    const last = found.at(-1)?.at(-1);
    if (last && point[0] - last[0] <= gap) found.at(-1).push(point);
    else found.push([point]);
  }
  return found;
}
