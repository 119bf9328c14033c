import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { Configuration, Reloaded } from './types/config.js';

export class Config {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** What is in force, in the words of the file. */
  get(options: CallOptions = {}): Promise<Configuration> {
    return this.#transport.get('/api/config/', options);
  }

  /** Read the file again. */
  reload(options: CallOptions = {}): Promise<Reloaded> {
    return this.#transport.post('/api/config/reload/', options);
  }
}
