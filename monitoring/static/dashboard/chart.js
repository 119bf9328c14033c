// Small charts, drawn as SVG: a line over time, and bars.

import { drawing } from './dom.js';

const WIDTH = 240;
const HEIGHT = 40;
const EDGE = 1.5;
// Longer than this between two figures, and the line breaks.
const GAP = 16_000;
const FEWEST = 3;

// `points` are [moment, value]. `top` is the least that the full height stands for.
export function chart(place, points, { name, top, format }) {
  const known = points.filter(([, value]) => value !== null);
  if (known.length < FEWEST) {
    place.replaceChildren();
    return;
  }
  const end = known.at(-1)[0];
  const begin = known[0][0];
  const values = known.map(([, value]) => value);
  const most = Math.max(top, ...values);
  const x = (moment) => ((moment - begin) / (end - begin)) * WIDTH;
  const y = (value) => HEIGHT - EDGE - (value / most) * (HEIGHT - 2 * EDGE);
  const minutes = Math.max(1, Math.round((end - begin) / 60_000));
  const label =
    `${name}, last ${minutes} min: ${format(Math.min(...values))} to ${format(Math.max(...values))}, ` +
    `now ${format(values.at(-1))}`;
  const shapes = runs(known).map((run) => {
    const line = run.map(([moment, value]) => `${x(moment).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    return drawing('g', {},
      drawing('polygon', { class: 'area', points: `${x(run[0][0]).toFixed(1)},${HEIGHT} ${line} ${x(run.at(-1)[0]).toFixed(1)},${HEIGHT}` }),
      drawing('polyline', { class: 'line', points: line }));
  });
  place.replaceChildren(drawing('svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, ...shapes));
}

// `rows` are [name, value], the newest last.
export function bars(place, rows, { name, format }) {
  const most = Math.max(...rows.map(([, value]) => value));
  if (!(most > 0)) {
    place.replaceChildren();
    return;
  }
  const step = WIDTH / rows.length;
  const shapes = rows.map(([when, value], index) => {
    const height = Math.max((value / most) * (HEIGHT - EDGE), value > 0 ? EDGE : 0.5);
    return drawing('rect',
      { class: 'bar', x: (index * step + step * 0.1).toFixed(1), y: (HEIGHT - height).toFixed(1), width: (step * 0.8).toFixed(1), height: height.toFixed(1) },
      drawing('title', {}, `${when}: ${format(value)}`));
  });
  const label = `${name}, from ${rows[0][0]} to ${rows.at(-1)[0]}: at most ${format(most)}, last ${format(rows.at(-1)[1])}`;
  place.replaceChildren(drawing('svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, ...shapes));
}

function runs(points) {
  const found = [];
  for (const point of points) {
    const last = found.at(-1)?.at(-1);
    if (last && point[0] - last[0] <= GAP) found.at(-1).push(point);
    else found.push([point]);
  }
  return found;
}
