import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { KeyStatus, KeyStatusList, KeyTested, KeyUpdated } from './types/keys.js';

/** The keys with which Oxide calls services. No answer shows more of one than its preview. */
export class Keys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Of one service. */
  status(service: string, options: CallOptions = {}): Promise<KeyStatus> {
    return this.#transport.get(`/api/api-keys/status/${encodeURIComponent(service)}/`, options);
  }

  /** Of all services that take a key. */
  statuses(options: CallOptions = {}): Promise<KeyStatusList> {
    return this.#transport.get('/api/api-keys/status/', options);
  }

  /** Ask the provider about a key, or about the one in force where none is given. It is kept nowhere. */
  test(service: string, apiKey?: string, options: CallOptions = {}): Promise<KeyTested> {
    return this.#transport.post('/api/api-keys/test/', options, { service, api_key: apiKey });
  }

  update(service: string, apiKey: string, options: CallOptions = {}): Promise<KeyUpdated> {
    return this.#transport.post('/api/api-keys/update/', options, { service, api_key: apiKey });
  }
}
