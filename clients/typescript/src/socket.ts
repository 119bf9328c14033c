/** What this client needs of a WebSocket: a browser's, Node 22's, and that of the package `ws` all have it. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: any) => void): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** How a connection ended: https://www.rfc-editor.org/rfc/rfc6455#section-7.4 */
export interface End {
  code: number;
  reason: string;
}

export type Signal = { kind: 'open' } | { kind: 'message'; text: string } | { kind: 'end'; end: End };

// More than that waits for a reader only if it has stopped reading.
const MOST_WAITING = 10_000;
const NO_ANSWER: End = { code: 1006, reason: 'nothing was heard any more' };
const TOO_SLOW: End = { code: 1006, reason: 'its events were not read' };

/** One connection, as a queue of what comes over it. The last thing is its end. */
export class Socket {
  readonly #socket: WebSocketLike;
  #waiting: Signal[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #open = false;
  #heard = true;
  #asked = false;
  readonly #watch: ReturnType<typeof setInterval>;

  constructor(make: WebSocketConstructor, url: string, protocols: string[], heartbeatMs: number) {
    this.#socket = protocols.length > 0 ? new make(url, protocols) : new make(url);
    this.#socket.addEventListener('open', () => {
      this.#open = true;
      this.#put({ kind: 'open' });
    });
    this.#socket.addEventListener('message', (event: { data: unknown }) => this.#take(String(event.data)));
    this.#socket.addEventListener('error', () => {}); // the close that follows says as much
    this.#socket.addEventListener('close', ({ code, reason }: End) => this.#finish({ code, reason: String(reason) }));
    this.#watch = setInterval(() => this.#look(), heartbeatMs);
  }

  get isOpen(): boolean {
    return this.#open && !this.#ended;
  }

  say(message: object): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    this.#finish({ code: 1000, reason: '' });
    this.#socket.close(1000);
  }

  /** The next thing that happens. Not to be called again after the end. */
  async next(): Promise<Signal> {
    for (;;) {
      const signal = this.#waiting.shift();
      if (signal) return signal;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #take(text: string): void {
    this.#heard = true;
    if (this.#waiting.length < MOST_WAITING) this.#put({ kind: 'message', text });
    else this.#drop(TOO_SLOW);
  }

  /** A machine that vanishes closes no connection: whoever is silent is asked, and then given up. */
  #look(): void {
    if (this.#heard) {
      this.#asked = this.#heard = false;
    } else if (this.#asked) {
      this.#drop(NO_ANSWER);
    } else {
      this.#asked = true;
      this.say({ type: 'ping' });
    }
  }

  #drop(end: End): void {
    this.#finish(end);
    this.#socket.close();
  }

  #finish(end: End): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#watch);
    this.#put({ kind: 'end', end });
  }

  #put(signal: Signal): void {
    if (this.#ended && signal.kind !== 'end') return;
    this.#waiting.push(signal);
    this.#wake();
  }
}
