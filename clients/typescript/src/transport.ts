import { checkedAddress, connectionError, mayWantTls, tlsMismatch } from './addresses.js';
import { Deadline } from './deadline.js';
import { errorOfResponse } from './error-answers.js';
import { OxideError, UnauthorizedError, UnexpectedAnswerError, WrongAddressError } from './errors.js';
import {
  type CallOptions,
  type ClientOptions,
  DEFAULT_MAX_RETRIES,
  DEFAULT_MAX_RETRY_DELAY_MS,
  DEFAULT_TIMEOUT_MS,
} from './options.js';
import { mayRepeat, pauseBefore } from './retries.js';
import { Session } from './session.js';
import type { TokenPair } from './types/identity.js';

/** What is to be sent. */
export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  query?: object | undefined;
  body?: object | undefined;
  /** It changes nothing, so that it may be sent again whatever has become of it. A GET always does. */
  onlyReads?: boolean;
  /** It is what gets a token, and so has none. */
  anonymous?: boolean;
}

const PROBE_MS = 2_000;

type Read<T> = (response: Response) => Promise<T>;

/** Sends calls: who calls, how long it may take, what is sent again. */
export class Transport {
  readonly baseUrl: string;
  readonly options: ClientOptions;
  readonly session: Session;
  #hasAnswered = false;

  constructor(baseUrl: string, options: ClientOptions) {
    this.baseUrl = checkedAddress(baseUrl);
    this.options = options;
    this.session = new Session(options.token, (token) => this.#exchange(token));
  }

  get<T>(path: string, options: CallOptions, query?: object): Promise<T> {
    return this.send({ method: 'GET', path, query }, options);
  }

  post<T>(path: string, options: CallOptions, body?: object): Promise<T> {
    return this.send({ method: 'POST', path, body }, options);
  }

  /** The answer's JSON; undefined where it has no body. */
  async send<T>(call: Call, options: CallOptions): Promise<T> {
    const deadline = this.deadline(options);
    try {
      return await this.open(call, options, deadline, readJson<T>);
    } finally {
      deadline.end();
    }
  }

  deadline(options: CallOptions): Deadline {
    return new Deadline(options.timeoutMs ?? this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS, options.signal);
  }

  /** The answer as `read` takes it, sent for as often as is worth it. */
  async open<T>(call: Call, options: CallOptions, deadline: Deadline, read: Read<T>): Promise<T> {
    const most = options.maxRetries ?? this.options.maxRetries ?? DEFAULT_MAX_RETRIES;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#identified(call, deadline, read);
      } catch (error) {
        const pause = failures <= most ? this.#pauseAfter(error, failures, call, deadline) : undefined;
        if (pause === undefined) throw error;
        await deadline.sleep(pause);
      }
    }
  }

  /** Milliseconds, or undefined where the call is not to be sent again. */
  #pauseAfter(error: unknown, failures: number, call: Call, deadline: Deadline): number | undefined {
    const onlyReads = readsOnly(call);
    if (!(error instanceof OxideError) || deadline.signal.aborted || !mayRepeat(error, onlyReads)) return undefined;
    if (error instanceof WrongAddressError) return undefined;
    const longest = this.options.maxRetryDelayMs ?? DEFAULT_MAX_RETRY_DELAY_MS;
    if ((error.retryAfter ?? 0) * 1000 > longest) return undefined;
    const pause = pauseBefore(failures, error.retryAfter);
    return pause < deadline.remainingMs ? pause : undefined;
  }

  /** A token that is refused is renewed once: who refuses it has not looked at the call yet. */
  async #identified<T>(call: Call, deadline: Deadline, read: Read<T>): Promise<T> {
    if (call.anonymous) return this.#once(call, undefined, deadline, read);
    const token = await deadline.race(this.session.token());
    try {
      return await this.#once(call, token, deadline, read);
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || !this.session.canRenew) throw error;
    }
    await deadline.race(this.session.replace(token));
    return this.#once(call, await this.session.token(), deadline, read);
  }

  async #once<T>(call: Call, token: string | undefined, deadline: Deadline, read: Read<T>): Promise<T> {
    deadline.check();
    try {
      const response = await this.#fetch(call, token, deadline.signal);
      this.#hasAnswered = true;
      if (!response.ok) throw await errorOfResponse(response, this.baseUrl);
      return await read(response);
    } catch (error) {
      deadline.check();
      throw await this.#explained(error, call, deadline.signal);
    }
  }

  async #explained(error: unknown, call: Call, signal: AbortSignal): Promise<OxideError> {
    if (error instanceof OxideError) return error;
    const failure = connectionError(error, this.baseUrl, readsOnly(call));
    // A `fetch` of the caller's own may go another way.
    if (this.#hasAnswered || this.options.fetch || !mayWantTls(failure, this.baseUrl)) return failure;
    const limit = AbortSignal.any ? AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]) : signal;
    return (await tlsMismatch(this.baseUrl, limit)) ?? failure;
  }

  #fetch(call: Call, token: string | undefined, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json', ...this.options.headers };
    if (call.body !== undefined) headers['Content-Type'] = 'application/json';
    if (token !== undefined) headers['Authorization'] = `Bearer ${token}`;
    const body = call.body === undefined ? null : JSON.stringify(call.body);
    // Called without an object before it: a browser's own `fetch` refuses any other `this`.
    const send = this.options.fetch ?? globalThis.fetch;
    return send(this.baseUrl + call.path + queryOf(call.query), { method: call.method, headers, body, signal });
  }

  #exchange(refreshToken: string): Promise<TokenPair> {
    const body = { refresh_token: refreshToken };
    return this.send({ method: 'POST', path: '/auth/refresh', body, anonymous: true }, {});
  }
}

export function readsOnly(call: Call): boolean {
  return call.onlyReads ?? call.method === 'GET';
}

function queryOf(query: object | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === null) continue;
    parameters.append(name, value instanceof Date ? value.toISOString() : String(value));
  }
  const text = parameters.toString();
  return text && `?${text}`;
}

async function readJson<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (response.status === 204) return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const message = `${response.url} answered what is no JSON: ${text.slice(0, 200)}. Check the address.`;
    throw new UnexpectedAnswerError({ code: '', message, status: response.status, cause });
  }
}
