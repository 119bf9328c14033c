// Who is asked for which type of task, and who would be asked for one that is typed in.

import { ask } from './api.js';
import { element, find, say, show } from './dom.js';
import { explanation, headline } from './explanation.js';
import { clock } from './format.js';
import { lanes } from './lanes.js';
import { calm, complain } from './trouble.js';

async function load() {
  find('lanes').setAttribute('aria-busy', 'true');
  try {
    const [{ rules, default: order }, { services }] = await Promise.all([ask('/api/routing/rules/'), ask('/api/services/')]);
    const edit = find('edit')?.dataset ?? null;
    find('lanes').replaceChildren(...(rules.length ? [] : [noRules(edit)]), ...lanes(rules, order, services, edit));
    say(find('as-of'), `As of ${clock(Date.now())}`);
    calm();
  } catch (error) {
    complain(error);
  }
  find('lanes').setAttribute('aria-busy', 'false');
}

function noRules(edit) {
  const add = edit ? element('a', { href: edit.add }, 'Add a rule') : 'An administrator can add one';
  return element('p', { class: 'notice' }, 'There are no rules yet, so the default order holds for every task. ', add,
    ' to have one type of task done by a service of your choice.');
}

function body() {
  const asked = { prompt: find('prompt').value };
  if (find('task-type').value) asked.task_type = find('task-type').value;
  if (find('model').value.trim()) asked.model = find('model').value.trim();
  return asked;
}

find('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  const asked = body();
  try {
    const told = await ask('/api/routing/explain/', { method: 'POST', body: asked });
    const first = told.candidates[0]?.service ?? 'nobody';
    say(find('told-title'), headline(told));
    say(find('said'), `${headline(told)}: ${first} first.`);
    find('why').replaceChildren(...explanation(told));
    find('try').href = `/try?${new URLSearchParams(asked)}`;
    show(find('told'), true);
    calm();
  } catch (error) {
    show(find('told'), false);
    complain(error);
  }
});
find('refresh').addEventListener('click', load);

await load();
document.documentElement.dataset.ready = 'true';
