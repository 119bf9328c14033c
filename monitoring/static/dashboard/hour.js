// The last hour by the minute, as GET /api/monitoring/series/ has it, and its charts.

import { bars, chart } from './chart.js';
import { find, say } from './dom.js';
import { NOTHING, count, dollars, milliseconds, percent, plural, rate, spent } from './format.js';

const MINUTE = 60_000;
const GAP = 90_000;

// The hour, with what is new of its last minutes.
export function goneOn({ points }, { until, points: latest }) {
  const known = new Map([...points, ...latest].map((point) => [Date.parse(point.at), point]));
  return { until, points: [...known.entries()].sort(([one], [other]) => one - other).map(([, point]) => point).slice(-points.length) };
}

export function showHour({ until, points }) {
  const rows = points.map((point) => ({ ...point, moment: Date.parse(point.at) }));
  const of = (value, part) => rows.map((row) => [row.moment, value(row), part?.(row)]);
  const sum = (value) => rows.reduce((all, row) => all + value(row), 0);
  const end = Date.parse(until);
  const line = { end, gap: GAP };

  bars(find('rate-chart'), of((row) => row.tasks, (row) => row.failed), { name: 'Tasks that ended', format: count, part: 'failed' });
  chart(find('latency-chart'), of((row) => row.latency_ms.p50), { ...line, name: 'Median latency', top: 1, format: milliseconds });
  bars(find('failed-chart'), of((row) => row.failed), { name: 'Failed tasks', format: count, kind: 'bar wrong' });
  bars(find('tokens-chart'), of((row) => row.tokens), { name: 'Tokens', format: count });
  bars(find('cost-chart'), of((row) => row.cost), { ...nameOfCost(sum((row) => row.requests_of_unknown_cost)), format: dollars });
  chart(find('cpu-chart'), of((row) => row.cpu_percent), { ...line, name: 'Processor', top: 100, format: percent });
  chart(find('memory-chart'), of((row) => row.memory_percent), { ...line, name: 'Memory', top: 100, format: percent });

  const [tasks, failed] = [sum((row) => row.tasks), sum((row) => row.failed)];
  // Of the last sixty seconds: the minute that goes on, and as much of the one before as it lacks.
  const [before, last] = rows.slice(-2);
  say(find('rate'), rate(last.tasks + before.tasks * (1 - (end - last.moment) / MINUTE)));
  say(find('hour'), `${plural(tasks, 'task')} in the last hour`);
  say(find('failed'), tasks ? percent((failed / tasks) * 100) : NOTHING);
  say(find('failed-note'), tasks ? `${count(failed)} of ${plural(tasks, 'task')}` : 'no tasks');
  say(find('cost'), spent(sum((row) => row.cost), sum((row) => row.requests), sum((row) => row.requests_of_unknown_cost)));
}

const nameOfCost = (unknown) => (unknown ? { name: 'Cost, as far as it is known', none: 'nothing is known' } : { name: 'Cost' });
