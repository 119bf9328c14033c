import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { ModelList, ServiceDetail, ServiceList, ServiceTested } from './types/services.js';

/** The services that Oxide can call, and how they are. */
export class Services {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(options: CallOptions = {}): Promise<ServiceList> {
    return this.#transport.get('/api/services/', options);
  }

  details(name: string, options: CallOptions = {}): Promise<ServiceDetail> {
    return this.#transport.get(pathOf(name), options);
  }

  /** Ask it now whether it is well. */
  test(name: string, options: CallOptions = {}): Promise<ServiceTested> {
    return this.#transport.post(`${pathOf(name)}test/`, options);
  }

  /** The models it has, as it says itself. */
  models(name: string, options: CallOptions = {}): Promise<ModelList> {
    return this.#transport.get(`${pathOf(name)}models/`, options);
  }

  enable(name: string, options: CallOptions = {}): Promise<ServiceDetail> {
    return this.#transport.post(`${pathOf(name)}enable/`, options);
  }

  disable(name: string, options: CallOptions = {}): Promise<ServiceDetail> {
    return this.#transport.post(`${pathOf(name)}disable/`, options);
  }
}

function pathOf(name: string): string {
  return `/api/services/${encodeURIComponent(name)}/`;
}
