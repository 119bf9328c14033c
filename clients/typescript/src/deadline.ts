import { DeadlineError } from './errors.js';

// A longer timer would go off at once: https://developer.mozilla.org/docs/Web/API/Window/setTimeout#maximum_delay_value
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The end of a call: by its total time, or by whoever calls it off. `AbortSignal.any` would need Node 20. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #ends: number;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #leave = () => this.#controller.abort(this.#outer?.reason);

  constructor(timeoutMs: number, outer?: AbortSignal) {
    this.#ends = Date.now() + timeoutMs;
    this.#outer = outer;
    if (timeoutMs <= LONGEST_TIMER_MS) {
      this.#timer = setTimeout(() => this.#controller.abort(new DeadlineError(timeoutMs)), timeoutMs);
    }
    if (outer?.aborted) this.#leave();
    else outer?.addEventListener('abort', this.#leave, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return this.#ends - Date.now();
  }

  /** Throws what ended the call, once something has. */
  check(): void {
    if (this.signal.aborted) throw this.signal.reason;
  }

  /** What comes of a promise, unless the call ends before. */
  async race<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {}); // it may fail when nobody waits for it any more
    this.check();
    let stop = () => {};
    const ended = new Promise<never>((_, reject) => {
      stop = () => reject(this.signal.reason);
      this.signal.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([promise, ended]);
    } finally {
      this.signal.removeEventListener('abort', stop);
    }
  }

  async sleep(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await this.race(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))));
    } finally {
      clearTimeout(timer);
    }
  }

  /** To be called at the end of each call: a timer would keep a program from ending. */
  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#leave);
  }

  /** End the call from within: whoever read it as a stream has left. */
  abandon(): void {
    this.end();
    this.#controller.abort();
  }
}
