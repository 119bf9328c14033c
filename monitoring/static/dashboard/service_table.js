// The services, one row each.

import { arrange, cell, element, mark, say, sayPath, show, state } from './dom.js';
import { NOTHING, count, milliseconds, percent } from './format.js';

export const BREAKERS = {
  closed: ['plain', 'closed'],
  open: ['bad', 'open: called last'],
  half_open: ['busy', 'half open: on trial'],
};

const KINDS = { builtin: 'built in', cli: 'a program on this machine' };

export class ServiceTable {
  #rows = new Map();

  constructor(table, empty) {
    this.body = table.tBodies[0];
    this.table = table;
    this.empty = empty;
  }

  // `services` as GET /api/services/ has them; `figures` those of the statistics, by service.
  show(services, inFlight, breakers, figures) {
    const names = Object.keys(services).sort((one, other) => rank(services[one]) - rank(services[other]) || one.localeCompare(other));
    for (const name of this.#rows.keys()) if (!services[name]) this.#rows.delete(name);
    arrange(this.body, names.map((name) => {
      if (!this.#rows.has(name)) this.#rows.set(name, new Row(name));
      const row = this.#rows.get(name);
      row.show(services[name], inFlight[name], breakers[name] ?? services[name].breaker, figures?.[name]);
      return row.node;
    }));
    show(this.table, names.length > 0);
    show(this.empty, names.length === 0);
    say(this.empty, 'No service is declared. Add one in the admin pages, or to config/default.yaml and reload.');
  }
}

// What needs somebody comes first, what is switched off last.
const rank = (service) => (!service.enabled ? 2 : service.obstacle ? 0 : 1);

class Row {
  constructor(name) {
    this.model = element('span', { class: 'note' });
    this.address = element('span', { class: 'note' });
    this.health = state('idle', '');
    this.detail = element('span', { class: 'note' });
    this.breaker = state('idle', '');
    this.flight = cell('In flight', { class: 'number' });
    this.latency = element('span');
    this.tail = element('span', { class: 'note' });
    this.requests = element('span');
    this.errors = element('span', { class: 'note' });
    this.node = element('tr', { role: 'row' },
      element('th', { role: 'rowheader', scope: 'row' }, element('span', { class: 'name' }, name), this.model, this.address),
      cell('Health', { class: 'wide' }, this.health, this.detail), cell('Breaker', {}, this.breaker), this.flight,
      cell('Latency, 1 h', { class: 'number' }, this.latency, this.tail),
      cell('Requests, 1 h', { class: 'number' }, this.requests, this.errors));
  }

  show(service, inFlight, breaker, figures) {
    const { type, api, model, base_url: address } = service.info;
    sayPath(this.model, model || KINDS[type] || type);
    sayPath(this.address, type === 'http' ? address : '');
    this.address.title = type === 'http' ? `Protocol: ${api}` : '';
    mark(this.health, ...healthOf(service));
    say(this.detail, service.enabled ? reasonOf(service) : '');
    mark(this.breaker, ...(service.enabled ? BREAKERS[breaker] ?? ['idle', breaker] : ['plain', NOTHING]));
    say(this.flight, count(inFlight ?? 0));
    const latency = figures?.latency_ms;
    say(this.latency, latency?.p50 != null ? milliseconds(latency.p50) : NOTHING);
    say(this.tail, latency?.p95 != null ? `p95 ${milliseconds(latency.p95)}` : '');
    this.latency.title = 'Median of the completed requests';
    say(this.requests, figures ? count(figures.requests) : NOTHING);
    say(this.errors, figures?.errors ? `${count(figures.errors)} failed, ${percent((figures.errors / (figures.requests - figures.cancelled)) * 100)}` : '');
  }
}

// It follows the service's state.
export const reasonOf = ({ state_detail: detail }) => detail.charAt(0).toUpperCase() + detail.slice(1);

const TONES = { off: 'idle', unchecked: 'idle', no_key: 'busy', healthy: 'good', list_unknown: 'good' };

export const healthOf = (service) => [TONES[service.state] ?? 'bad', service.state_text];

// What /ws says of a change, until the server is asked for the words.
export function changed(service, { healthy, enabled }) {
  const state = !enabled ? 'off' : healthy ? 'healthy' : 'unhealthy';
  const text = { off: 'switched off', healthy: 'healthy', unhealthy: 'unhealthy, called last' }[state];
  return { ...service, healthy, enabled, state, state_text: text, state_detail: '' };
}
