// One task, and its answer as it comes.

import { ask, loginAddress, request } from './api.js';
import { languages } from './code.js';
import { element, find, mark, say, show, taskLink } from './dom.js';
import { explanation, headline } from './explanation.js';
import { seconds, ticking } from './format.js';
import { events } from './sse.js';
import { KINDS, attempts, decision, facts, factsOf, reasonOf } from './task_parts.js';

// A task that was called off ends its stream by itself; where it does not, nobody waits for it.
const PATIENCE = 3000;
const DEFAULT = find('model').placeholder;
const BROKEN = 'The connection broke before the answer was complete. The history has what came of it.';
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

// The answer

class Run {
  id = null;
  #abort = new AbortController();
  #began = performance.now();
  #first = null;
  #answer = document.createTextNode('');
  #thoughts = document.createTextNode('');
  #waiting = { text: '', reasoning: '' };
  #painting = null;
  #clock = null;

  async go(asked) {
    this.#open();
    try {
      const answer = await request('/api/tasks/execute/', { method: 'POST', body: { ...asked, stream: true }, signal: this.#abort.signal });
      let ended = false;
      for await (const { name, data } of events(answer)) {
        this.#take(name, data);
        ended ||= name === 'done' || name === 'error';
      }
      if (!ended) this.#fail({ message: BROKEN, body: {} });
    } catch (error) {
      if (error.name === 'AbortError') this.#close('cancelled', 'stopped');
      else this.#fail(error.body ? error : { message: BROKEN, body: {} });
    } finally {
      clearInterval(this.#clock);
      say(find('clock'), '');
      this.#paint();
      find('answer').setAttribute('aria-busy', 'false');
    }
  }

  async stop() {
    mark(find('progress'), 'idle', 'Stopping …');
    find('stop').disabled = true;
    const timer = setTimeout(() => this.#abort.abort(), this.id ? PATIENCE : 0);
    if (!this.id) return;
    try {
      await ask(`/api/tasks/${this.id}/cancel/`, { method: 'POST' });
    } catch {
      // It has ended already, or the connection says so when it is cut.
      clearTimeout(timer);
      this.#abort.abort();
    }
  }

  #open() {
    show(find('outcome'), true);
    show(find('routing'), false);
    show(find('trouble'), false);
    show(find('thoughts'), false);
    find('answer').replaceChildren(this.#answer);
    find('reasoning').replaceChildren(this.#thoughts);
    find('facts').replaceChildren();
    find('answer').setAttribute('aria-busy', 'true');
    mark(find('progress'), 'busy', 'Waiting for the first word …');
    this.#clock = setInterval(() => this.#tick(), 200);
  }

  #tick() {
    say(find('clock'), ticking((performance.now() - this.#began) / 1000));
  }

  #take(name, data) {
    if (name === 'task') {
      this.id = data.task_id;
      if (data.service) mark(find('progress'), 'busy', `${data.service}${data.model ? ` · ${data.model}` : ''} answers …`);
    } else if (name === 'delta') {
      this.#first ??= performance.now() - this.#began;
      if (data.text) this.#waiting.text += data.text;
      if (data.reasoning) this.#waiting.reasoning += data.reasoning;
      this.#painting ??= requestAnimationFrame(() => this.#paint());
    } else if (name === 'done') {
      this.id = data.task_id;
      this.#close(data.status, `${data.status} in ${seconds(data.execution_time)}`);
      this.#tell(data);
    } else if (name === 'error') {
      this.#fail({ message: data.detail, body: data });
    }
  }

  // Once a frame, however many pieces have come: each changes the layout.
  #paint() {
    cancelAnimationFrame(this.#painting);
    this.#painting = null;
    this.#answer.appendData(this.#waiting.text);
    if (this.#waiting.reasoning) show(find('thoughts'), true);
    this.#thoughts.appendData(this.#waiting.reasoning);
    this.#waiting = { text: '', reasoning: '' };
  }

  #close(status, text) {
    this.#paint();
    mark(find('progress'), KINDS[status] ?? 'idle', text);
    if (!this.#answer.data) find('answer').replaceChildren(element('span', { class: 'empty' }, 'No text came.'));
  }

  #fail(error) {
    this.#close('failed', 'failed');
    complain(error);
    const { task_id: id, attempts: asked } = error.body;
    if (id) this.#tell({ task_id: id }, asked);
  }

  async #tell(answered, asked = []) {
    const first = this.#first === null ? null : seconds(this.#first / 1000);
    if (answered.usage) this.#showFacts(answered, first, 0);
    try {
      const task = await ask(`/api/tasks/${answered.task_id}/`);
      if (running !== this && running !== null) return; // another one is shown by now
      this.#showFacts(task, first);
      const chosen = task.attempts.at(-1);
      const why = task.decision.candidates?.find((each) => each.service === chosen?.service && each.model === chosen?.model);
      say(find('routing-title'), 'Who was asked, and why');
      const told = why ? element('p', {}, element('strong', {}, why.service), ` ${task.status === 'completed' ? 'answered' : 'was asked last'}, ${reasonOf(why)}.`) : '';
      find('why').replaceChildren(told, element('h3', {}, 'Attempts'), attempts(task.attempts), decision(task.decision));
    } catch {
      find('why').replaceChildren(attempts(asked));
    }
    show(find('routing'), true);
  }

  #showFacts(task, first) {
    const link = element('span', {}, taskLink(task.task_id));
    find('facts').replaceChildren(facts([...factsOf(task), ['Time to first token', first, 'seen by this page'], ['Task', link]]));
  }
}

async function send() {
  if (running) return;
  running = new Run();
  find('send').disabled = true;
  find('stop').disabled = false;
  await running.go(body());
  running = null;
  find('send').disabled = false;
  if (document.activeElement === find('stop') || document.activeElement === document.body) find('prompt').focus({ preventScroll: true });
  find('stop').disabled = true;
}

function complain(error) {
  const place = find('trouble');
  say(place, error.message);
  if (error.status === 401) place.append(' ', element('a', { href: loginAddress() }, 'Log in'));
  show(place, true);
}

async function explain() {
  show(find('trouble'), false);
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
find('stop').addEventListener('click', () => running?.stop());
find('explain').addEventListener('click', explain);
addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) find('ask').requestSubmit();
  if (event.key === 'Escape' && !find('stop').disabled) running?.stop();
});

for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', async () => {
    const code = find('code');
    code.textContent = languages[button.dataset.language](body(), wantsKey);
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
  for (const [name, service] of Object.entries(services)) {
    if (service.enabled) find('service').append(element('option', { value: name }, service.obstacle ? `${name} (not now)` : name));
  }
}

// What the address asks for: a service, or a task that is to be tried again.
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
