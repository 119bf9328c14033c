import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { NewRoutingRule, RoutingRule, RoutingRuleChanges, RoutingRuleList } from './types/routing.js';

/** Which service does which type of task. A change holds from the next task on. */
export class Rules {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(options: CallOptions = {}): Promise<RoutingRuleList> {
    return this.#transport.get('/api/routing/rules/', options);
  }

  get(id: string, options: CallOptions = {}): Promise<RoutingRule> {
    return this.#transport.get(pathOf(id), options);
  }

  create(rule: NewRoutingRule, options: CallOptions = {}): Promise<RoutingRule> {
    return this.#transport.post('/api/routing/rules/', options, rule);
  }

  /** Change the fields that are named. */
  update(id: string, changes: RoutingRuleChanges, options: CallOptions = {}): Promise<RoutingRule> {
    return this.#transport.send({ method: 'PATCH', path: pathOf(id), body: changes }, options);
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#transport.send({ method: 'DELETE', path: pathOf(id) }, options);
  }
}

function pathOf(id: string): string {
  return `/api/routing/rules/${encodeURIComponent(id)}/`;
}
