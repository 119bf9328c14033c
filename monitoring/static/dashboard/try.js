// One task, or the same for several services at once, and the answers as they come.

import { ask, may } from './api.js';
import { languages } from './code.js';
import { element, find, say, show } from './dom.js';
import { explanation, headline } from './explanation.js';
import { Run } from './run.js';
import { Comparison, chosen, offer } from './side_by_side.js';
import { attempts, decision, reasonOf } from './task_parts.js';
import { calm, complain } from './trouble.js';

const DEFAULT = find('model').placeholder;
const wantsKey = document.querySelector('meta[name="csrf-token"]') !== null;

let running = null;

function body() {
  const number = (id) => (find(id).value === '' ? undefined : Number(find(id).value));
  const asked = {
    prompt: find('prompt').value,
    task_type: find('task-type').value || undefined,
    service: find('service').value === 'auto' ? undefined : find('service').value,
    model: find('model').value.trim() || undefined,
    max_tokens: number('max-tokens'),
    temperature: number('temperature'),
  };
  return JSON.parse(JSON.stringify(asked)); // without what is undefined
}

// For one of several services, which asks its own model.
const bodyFor = (service) => JSON.parse(JSON.stringify({ ...body(), service, model: undefined }));

// The answer of one

const single = {
  ...Object.fromEntries(['progress', 'clock', 'thoughts', 'reasoning', 'answer', 'facts', 'trouble'].map((name) => [name, find(name)])),
  told: showWhy,
};

function showWhy(task, asked) {
  if (task) {
    const last = task.attempts.at(-1);
    const why = task.decision.candidates?.find((each) => each.service === last?.service && each.model === last?.model);
    say(find('routing-title'), 'Who was asked, and why');
    const told = why ? element('p', {}, element('strong', {}, why.service), ` ${task.status === 'completed' ? 'answered' : 'was asked last'}: ${reasonOf(why)}.`) : '';
    find('why').replaceChildren(told, element('h3', {}, 'Attempts'), attempts(task.attempts), decision(task.decision));
  } else {
    find('why').replaceChildren(attempts(asked));
  }
  show(find('routing'), true);
}

async function send() {
  if (running || !may('execute')) return;
  const names = chosen();
  running = names.length ? new Comparison(names) : new Run(single);
  show(find('outcome'), names.length === 0);
  show(find('columns'), names.length > 0);
  show(find('routing'), false);
  calm();
  find('send').disabled = true;
  find('stop').disabled = false;
  await running.go(names.length ? bodyFor : body());
  running = null;
  find('send').disabled = false;
  if (document.activeElement === find('stop') || document.activeElement === document.body) find('prompt').focus({ preventScroll: true });
  find('stop').disabled = true;
}

function stop() {
  find('stop').disabled = true;
  running?.stop();
}

async function explain() {
  calm();
  try {
    const told = await ask('/api/routing/explain/', { method: 'POST', body: { ...body(), prompt: find('prompt').value || 'Hello' } });
    say(find('routing-title'), headline(told));
    find('why').replaceChildren(...explanation(told));
    show(find('routing'), true);
  } catch (error) {
    complain(error);
  }
}

// The form

find('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
find('stop').addEventListener('click', stop);
find('explain').addEventListener('click', explain);
addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) find('ask').requestSubmit();
  if (event.key === 'Escape' && !find('stop').disabled) stop();
});

for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', async () => {
    const code = find('code');
    code.textContent = languages[button.dataset.language](chosen().length ? chosen().map(bodyFor) : [body()], wantsKey);
    show(code, true);
    say(find('copied'), '');
    try {
      await navigator.clipboard.writeText(code.textContent);
      say(find('copied'), `Copied${wantsKey ? '. Put a key for programs into OXIDE_KEY.' : '.'}`);
    } catch {
      // Browsers let pages copy over TLS and on this machine alone.
      getSelection().selectAllChildren(code);
      say(find('copied'), 'Selected: copy it with Ctrl+C.');
    }
  });
}

async function offerModels() {
  const name = find('service').value;
  find('models').replaceChildren();
  if (name === 'auto') return;
  const { models, info } = await ask(`/api/services/${encodeURIComponent(name)}/`);
  find('model').placeholder = info.model || DEFAULT;
  find('models').replaceChildren(...models.map((model) => element('option', { value: model })));
}

async function offerServices() {
  const { services } = await ask('/api/services/');
  const enabled = Object.entries(services).filter(([, service]) => service.enabled);
  find('service').append(...enabled.map(([name, service]) => element('option', { value: name }, service.obstacle ? `${name} (${service.state_text})` : name)));
  offer(enabled.map(([name]) => name), new URLSearchParams(location.search).getAll('beside'), showSingle);
}

// What stands for one service alone makes way for several.
function showSingle() {
  const several = chosen().length > 0;
  for (const id of ['service', 'model', 'explain']) find(id).disabled = several;
}

// What the address asks for: several services, a service, or a task that is to be tried again.
async function prefill() {
  const wanted = new URLSearchParams(location.search);
  const task = wanted.get('task') ? await ask(`/api/tasks/${encodeURIComponent(wanted.get('task'))}/`) : {};
  // Whoever was quicker than this keeps what they have chosen.
  find('prompt').value ||= wanted.get('prompt') ?? task.prompt ?? '';
  find('task-type').value ||= task.task_type ?? wanted.get('task_type') ?? '';
  find('model').value ||= task.requested_model ?? wanted.get('model') ?? '';
  const service = task.requested_service ?? wanted.get('service') ?? 'auto';
  const isThere = [...find('service').options].some((option) => option.value === service);
  if (find('service').value === 'auto' && isThere) find('service').value = service;
}

find('service').addEventListener('change', () => {
  find('model').placeholder = DEFAULT;
  offerModels().catch(complain);
});

try {
  await offerServices();
  await prefill();
  await offerModels();
} catch (error) {
  complain(error);
}
document.documentElement.dataset.ready = 'true';
