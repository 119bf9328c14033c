import { Deadline } from './deadline.js';
import { errorOf } from './error-answers.js';
import { OxideError, UnauthorizedError, WrongAddressError } from './errors.js';
import { FollowedText } from './followed-text.js';
import { backoff } from './retries.js';
import { type End, Socket, type WebSocketConstructor } from './socket.js';
import type { Transport } from './transport.js';
import type { ComplaintEvent, LiveEvent, Topic } from './types/events.js';

export interface EventsOptions {
  /** What to hear about; all three where left out. */
  topics?: Topic[];
  /** Tasks whose text is to be heard, at most 100. `follow` adds others. */
  tasks?: string[];
  /** Ends it. The iteration then throws the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds between two tries to connect: the first pause, which doubles, and the longest. */
  firstPauseMs?: number;
  longestPauseMs?: number;
  /** Milliseconds of silence after which a connection is asked whether it is there. Without an answer it is given up. */
  heartbeatMs?: number;
}

const TOPICS: Topic[] = ['services', 'metrics', 'tasks'];
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const HEARTBEAT_MS = 20_000;
const CHECK_MS = 5_000;
// Oxide takes at most a hundred messages in a second.
const MESSAGES_AT_ONCE = 50;
const BREATH_MS = 1_100;
// Ends for which connecting again is no cure. docs/websocket.md lists them all.
const WRONG_CLIENT = new Set([1003, 1008, 1009]);
const CODES: Record<number, string> = { 4400: 'VALIDATION_ERROR', 4401: 'UNAUTHORIZED', 4403: 'FORBIDDEN' };

/**
 * What happens in Oxide, as it happens. One loop reads it: `for await (const event of client.events())`.
 *
 * It connects when it is read, and again whenever the connection is gone, and says so with the events `connected` and
 * `disconnected`. After each `connected`, a `snapshot` tells how everything stands, and followed tasks are followed on.
 */
export class LiveEvents implements AsyncIterable<LiveEvent> {
  readonly #transport: Transport;
  readonly #options: EventsOptions;
  readonly #texts = new Map<string, FollowedText>();
  #socket: Socket | undefined;
  #complaint: ComplaintEvent | undefined;
  #isClosed = false;
  #wasConnected = false;
  #failures = 0;
  #deadline: Deadline | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(transport: Transport, options: EventsOptions) {
    this.#transport = transport;
    this.#options = options;
    for (const taskId of options.tasks ?? []) this.#texts.set(taskId, new FollowedText());
  }

  /** Hear the text of a task, also what was said so far. */
  follow(taskId: string): void {
    if (this.#texts.has(taskId)) return;
    this.#texts.set(taskId, new FollowedText());
    this.#socket?.say({ type: 'subscribe', task_id: taskId });
  }

  unfollow(taskId: string): void {
    if (this.#texts.delete(taskId)) this.#socket?.say({ type: 'unsubscribe', task_id: taskId });
  }

  /** What a followed task has said so far. */
  textOf(taskId: string): string {
    return String(this.#texts.get(taskId) ?? '');
  }

  /** End it: the loop that reads it ends, too. */
  close(): void {
    this.#isClosed = true;
    this.#deadline?.abandon();
    this.#socket?.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveEvent, void, undefined> {
    if (this.#deadline) {
      throw new OxideError({ code: 'IN_USE', message: 'One loop alone can read it. Call events() again.' });
    }
    const deadline = (this.#deadline = new Deadline(Infinity, this.#options.signal));
    if (this.#isClosed) deadline.abandon();
    const onAbort = () => this.#socket?.close();
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!this.#isClosed) {
        const end = yield* this.#connection(deadline);
        if (this.#isClosed) return;
        deadline.check();
        const retryInMs = await this.#pauseAfter(end, deadline);
        yield { type: 'disconnected', code: end.code, reason: end.reason, retryInMs };
        await deadline.sleep(retryInMs);
      }
    } catch (error) {
      if (!this.#isClosed) throw error;
    } finally {
      this.#isClosed = true;
      clearTimeout(this.#renewal);
      this.#socket?.close();
      deadline.end();
    }
  }

  /** One connection, from its beginning to its end. */
  async *#connection(deadline: Deadline): AsyncGenerator<LiveEvent, End, undefined> {
    const token = await this.#token(deadline);
    if (token instanceof OxideError) return { code: 1006, reason: token.message };
    const socket = (this.#socket = this.#connect(token));
    this.#complaint = undefined;
    try {
      for (;;) {
        const signal = await socket.next();
        if (signal.kind === 'end') return signal.end;
        if (signal.kind === 'open') {
          this.#wasConnected = true;
          void this.#subscribe(socket, deadline);
          this.#stayKnown(socket);
          yield { type: 'connected', attempt: this.#failures + 1 };
          continue;
        }
        const event = JSON.parse(signal.text) as LiveEvent | { type: 'pong' };
        if (event.type === 'pong') continue;
        this.#note(event);
        yield event;
      }
    } finally {
      clearTimeout(this.#renewal);
      socket.close();
    }
  }

  /** The token to connect with; an error where the server that renews it is away just now. */
  async #token(deadline: Deadline): Promise<string | undefined | OxideError> {
    try {
      return await deadline.race(this.#transport.session.token());
    } catch (error) {
      if (!(error instanceof OxideError) || error instanceof UnauthorizedError) throw error;
      return error;
    }
  }

  #connect(token: string | undefined): Socket {
    const given = this.#transport.options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (!given) {
      const message = 'There is no WebSocket here. Use Node 22 or newer, or give one: new Oxide(url, { WebSocket }).';
      throw new OxideError({ code: 'NO_WEBSOCKET', message });
    }
    const url = `${this.#transport.baseUrl.replace(/^http/, 'ws')}/ws`;
    const protocols = token === undefined ? [] : ['oxide', `bearer.${token}`];
    return new Socket(given, url, protocols, this.#options.heartbeatMs ?? HEARTBEAT_MS);
  }

  /** Say what is to be heard, slowly enough for Oxide. What is followed meanwhile is said by `follow` itself. */
  async #subscribe(socket: Socket, deadline: Deadline): Promise<void> {
    const { topics } = this.#options;
    const unwanted = topics ? TOPICS.filter((topic) => !topics.includes(topic)) : [];
    const messages: object[] = [...this.#texts.keys()].map((taskId) => ({ type: 'subscribe', task_id: taskId }));
    if (unwanted.length > 0) messages.unshift({ type: 'unsubscribe', topics: unwanted });
    for (const [place, message] of messages.entries()) {
      if (place > 0 && place % MESSAGES_AT_ONCE === 0) await deadline.sleep(BREATH_MS).catch(() => {});
      socket.say(message);
    }
  }

  /** A connection ends with its token: show the next one before that. */
  #stayKnown(socket: Socket): void {
    const { session } = this.#transport;
    if (!session.canRenew) return;
    this.#renewal = setTimeout(async () => {
      try {
        socket.say({ type: 'auth', token: await session.token() });
      } catch {
        return; // the connection will end, and what is wrong is told then
      }
      if (socket.isOpen) this.#stayKnown(socket);
    }, Math.max(0, session.freshForMs));
  }

  #note(event: LiveEvent): void {
    if (event.type === 'snapshot') this.#failures = 0;
    if (event.type === 'error') this.#complaint = event;
    if (event.type === 'task_delta') this.#texts.get(event.task_id)?.take(event);
  }

  /** Milliseconds until the next try. Throws where another try would end in the same way. */
  async #pauseAfter(end: End, deadline: Deadline): Promise<number> {
    const { session } = this.#transport;
    if (end.code === 4401 && session.canRenew && this.#failures === 0) {
      this.#failures++;
      await deadline.race(session.renew());
      return 0;
    }
    if (WRONG_CLIENT.has(end.code) || end.code >= 4000) throw this.#errorOf(end);
    if (!this.#wasConnected && this.#failures === 0) await this.#checkAddress(deadline);
    this.#failures++;
    const { firstPauseMs = FIRST_PAUSE_MS, longestPauseMs = LONGEST_PAUSE_MS } = this.#options;
    return Math.round(backoff(this.#failures, firstPauseMs, longestPauseMs));
  }

  /** A WebSocket does not tell why it failed; a call does, where the address can never be right. */
  async #checkAddress(deadline: Deadline): Promise<void> {
    const options = { maxRetries: 0, timeoutMs: CHECK_MS, signal: deadline.signal };
    await this.#transport.get('/health', options).catch((error: unknown) => {
      if (error instanceof WrongAddressError) throw error;
    });
  }

  #errorOf(end: End): OxideError {
    const code = this.#complaint?.code ?? CODES[end.code] ?? 'CONNECTION_REFUSED';
    const detail = this.#complaint?.detail ?? `Oxide closed the connection: ${end.code} ${end.reason}`;
    return errorOf({ error: 'Live events refused', detail, code });
  }
}
