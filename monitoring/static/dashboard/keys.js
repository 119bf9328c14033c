// Which services have a key, where it comes from, and whether the service takes it.

import { ask } from './api.js';
import { cell, element, find, mark, say, show, state } from './dom.js';
import { NOTHING, moment, plural } from './format.js';
import { calm, complain } from './trouble.js';

const STATES = { missing: ['busy', 'no key'], unknown: ['idle', 'not known'], valid: ['good', 'valid'], invalid: ['bad', 'refused'] };
const SOURCES = { environment: 'environment', database: 'encrypted store', file: 'configuration file' };
// Which keys need somebody.
const RANK = ['invalid', 'missing', 'unknown', 'valid'];

const edit = find('edit')?.dataset ?? null; // null for whoever may not change keys

class Row {
  constructor(name) {
    this.name = name;
    this.state = state('idle', '');
    this.detail = element('span', { class: 'note' });
    this.key = element('span', { class: 'id' });
    this.source = element('span');
    this.variable = element('span', { class: 'note' });
    this.checked = cell('Last checked', { class: 'when wide' });
    this.test = element('button', { 'aria-label': `Test the key of ${name}` }, 'Test');
    this.change = element('a', { class: 'button' });
    this.result = element('p', { class: 'note', role: 'status' });
    this.test.addEventListener('click', () => this.#test());
    this.node = element('tr', { role: 'row' },
      element('th', { role: 'rowheader', scope: 'row' }, element('span', { class: 'name' }, name), this.variable),
      cell('State', { class: 'wide' }, this.state, this.detail, this.result), cell('Key', {}, this.key), cell('From', {}, this.source), this.checked,
      edit ? element('td', { role: 'cell', class: 'action wide' }, element('span', { class: 'buttons' }, this.test, this.change)) : null);
  }

  show(status) {
    mark(this.state, ...STATES[status.state]);
    say(this.detail, status.state === 'valid' ? '' : status.detail);
    say(this.key, status.key_preview ?? NOTHING);
    say(this.source, SOURCES[status.source] ?? NOTHING);
    say(this.variable, status.variable ?? '');
    say(this.checked, status.checked_at ? moment(status.checked_at) : 'never');
    show(this.test, status.configured);
    this.#offer(status);
    return this.node;
  }

  // The environment's key wins over what is stored: there is nothing to be done in the admin pages.
  #offer({ source, configured }) {
    show(this.change, source !== 'environment');
    if (!edit) return;
    this.change.href = source === 'database' ? `${edit.stored}?q=${encodeURIComponent(this.name)}` : `${edit.add}?service=${encodeURIComponent(this.name)}`;
    say(this.change, configured ? 'Change' : 'Set a key');
    this.change.setAttribute('aria-label', configured ? `Change the key of ${this.name}` : `Set a key for ${this.name}`);
  }

  async #test() {
    this.test.disabled = true;
    mark(this.state, 'busy', 'testing …');
    say(this.result, '');
    let said;
    try {
      said = (await ask('/api/api-keys/test/', { method: 'POST', body: { service: this.name } })).message;
    } catch (error) {
      said = error.message;
    }
    try {
      this.show(await ask(`/api/api-keys/status/${encodeURIComponent(this.name)}/`));
    } catch (error) {
      mark(this.state, ...STATES.unknown);
      complain(error);
    }
    say(this.detail, ''); // the test says it better
    say(this.result, said);
    this.test.disabled = false;
    this.test.focus({ preventScroll: true });
  }
}

function paint({ total, configured, services: keys }, services) {
  const order = Object.values(keys).sort((one, other) => RANK.indexOf(one.state) - RANK.indexOf(other.state) || one.service.localeCompare(other.service));
  find('keys').tBodies[0].replaceChildren(...order.map((status) => new Row(status.service).show(status)));
  say(find('found'), total ? `${configured} of ${plural(total, 'key')} there` : '');
  show(find('keys'), total > 0);
  show(find('none'), total === 0);
  find('none').replaceChildren(element('strong', {}, 'No service asks for a key.'),
    ' One that is to have one gets api_key_env in config/default.yaml, or a key variable in the admin pages.');
  const others = Object.keys(services).filter((name) => !keys[name]);
  say(find('keyless'), `Without a key, because they ask for none: ${others.join(', ')}.`);
  show(find('keyless'), others.length > 0);
}

try {
  const [keys, { services }] = await Promise.all([ask('/api/api-keys/status/'), ask('/api/services/')]);
  paint(keys, services);
  calm();
} catch (error) {
  show(find('none'), false);
  complain(error);
}
find('list').setAttribute('aria-busy', 'false');
