import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { ClientKeyList, ClientKeyMade, NewClientKey } from './types/identity.js';

/** The keys with which programs call Oxide. */
export class ClientKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(options: CallOptions = {}): Promise<ClientKeyList> {
    return this.#transport.get('/api/api-keys/clients/', options);
  }

  create(key: NewClientKey, options: CallOptions = {}): Promise<ClientKeyMade> {
    return this.#transport.post('/api/api-keys/clients/', options, key);
  }

  revoke(id: number, options: CallOptions = {}): Promise<void> {
    return this.#transport.send({ method: 'DELETE', path: `/api/api-keys/clients/${id}/` }, options);
  }
}
