// What was spent, and how sure that is. The range stands in the address, so that it can be kept and shared.

import { ask } from './api.js';
import { basisTable, costTable, costOf } from './cost_table.js';
import { dayChart } from './day_chart.js';
import { element, find, say, show } from './dom.js';
import { count, date, percent, plural, words } from './format.js';
import { calm, complain } from './trouble.js';

const RANGES = [7, 30, 90];
const GROUPS = ['day', 'service', 'model', 'task_type'];

let days = 30;
let measure = null; // as chosen; until then what there is to see
let latest = 0;
let shown = null; // the answer by day

async function load() {
  const mine = (latest += 1);
  press('days', days);
  find('costs').setAttribute('aria-busy', 'true');
  try {
    const answers = await Promise.all(GROUPS.map((group) => ask(`/api/monitoring/costs/?group_by=${group}&days=${days}`)));
    if (mine !== latest) return;
    paint(Object.fromEntries(answers.map((answer) => [answer.group_by, answer])));
    calm();
  } catch (error) {
    if (mine === latest) {
      complain(error);
      if (!shown) show(find('none'), false);
    }
  }
  if (mine === latest) find('costs').setAttribute('aria-busy', 'false');
}

function paint(by) {
  shown = by.day;
  const { total, groups } = shown;
  say(find('span'), `${date(groups[0].key)} to ${date(groups.at(-1).key)}, days of UTC`);
  show(find('costs'), total.requests > 0);
  show(find('none'), total.requests === 0);
  const advice = days === RANGES.at(-1) ? '' : 'Choose a longer range, or ';
  find('none').replaceChildren(`No request used tokens in these ${days} days, so there is nothing to pay. ${advice}`,
    element('a', { href: '/try' }, advice ? 'try a task' : 'Try a task'), '.');
  if (!total.requests) return;
  paintSums(total);
  paintChart();
  find('day').replaceChildren(costTable('By day', groups.filter((day) => day.requests).reverse().map((day) => [date(day.key), day]), total),
    element('p', { class: 'note' }, 'Days without requests are left out.'));
  find('basis').replaceChildren(basisTable(total));
  const priceless = by.service.groups.filter((group) => group.by_basis.unknown.requests).map((group) => group.key);
  say(find('priceless'), priceless.join(', '));
  show(find('advice'), priceless.length > 0);
  for (const group of ['service', 'model', 'task_type']) {
    const named = by[group].groups.map((each) => [(group === 'task_type' ? words(each.key) : each.key) || 'without a name', each]);
    find(group).replaceChildren(costTable(find(`${group.replace('_', '-')}-title`).textContent, named, total));
  }
}

function paintSums(total) {
  const { text, left } = costOf(total);
  say(find('cost'), text);
  say(find('cost-note'), left ? `without ${plural(left, 'request')} of unknown cost` : text === 'unknown' ? 'no price is known' : 'US dollars');
  say(find('requests'), count(total.requests));
  say(find('tokens'), count(total.tokens));
  const { unknown } = total.by_basis;
  say(find('unknown'), unknown.requests ? percent((unknown.requests / total.requests) * 100) : 'none');
  say(find('unknown-note'), unknown.requests ? `${count(unknown.requests)} of ${plural(total.requests, 'request')}` : 'of every request it is known');
}

function paintChart() {
  const drawn = measure ?? (shown.total.cost ? 'cost' : 'tokens');
  press('measure', drawn);
  find('chart').replaceChildren(dayChart(shown.groups, drawn));
}

// The choices

function press(kind, value) {
  for (const button of document.querySelectorAll(`[data-${kind}]`)) button.setAttribute('aria-pressed', String(button.dataset[kind] === String(value)));
}

function recall() {
  const asked = Number(new URLSearchParams(location.search).get('days'));
  days = RANGES.includes(asked) ? asked : 30;
}

for (const button of document.querySelectorAll('[data-days]')) {
  button.addEventListener('click', () => {
    days = Number(button.dataset.days);
    history.pushState(null, '', `?days=${days}`);
    load();
  });
}
for (const button of document.querySelectorAll('[data-measure]')) {
  button.addEventListener('click', () => {
    measure = button.dataset.measure;
    paintChart();
  });
}
addEventListener('popstate', () => {
  recall();
  load();
});

recall();
load();
