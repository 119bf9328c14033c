import { ClientKeys } from './client-keys.js';
import { Config } from './config.js';
import { Keys } from './keys.js';
import { type EventsOptions, LiveEvents } from './live-events.js';
import type { CallOptions, ClientOptions } from './options.js';
import { Rules } from './rules.js';
import { Services } from './services.js';
import { type Prompt, type TaskOptions, type TypeOrOptions, type TypedTaskOptions, taskCall } from './task-body.js';
import { type TaskEvents, taskEvents } from './task-stream.js';
import { Transport } from './transport.js';
import type { LoggedOut, Me, TokenPair } from './types/identity.js';
import type { Costs, CostsQuery, Health, Metrics, Readiness, Series, Stats, StatsQuery } from './types/monitoring.js';
import type { Explanation } from './types/routing.js';
import type {
  Export,
  HistoryFilter,
  HistoryPage,
  HistoryQuery,
  TaskAccepted,
  TaskAnswer,
  TaskCancelling,
  TaskDetail,
  TaskType,
} from './types/tasks.js';
import { ended } from './waiting.js';

const EXECUTE = '/api/tasks/execute/';

/**
 * A client of Oxide.
 *
 * Fields of tasks and of answers have the API's own names (`max_tokens`, `service_used`); options of this client are in
 * camelCase (`timeoutMs`). Answers are what Oxide sends, unchanged. Every call takes `signal`, `timeoutMs` and
 * `maxRetries` last, and throws an `OxideError`.
 */
export class Oxide {
  readonly services: Services;
  readonly rules: Rules;
  readonly keys: Keys;
  readonly clientKeys: ClientKeys;
  readonly config: Config;
  readonly #transport: Transport;

  constructor(baseUrl = 'http://localhost:8000', options: ClientOptions = {}) {
    const transport = (this.#transport = new Transport(baseUrl, options));
    this.services = new Services(transport);
    this.rules = new Rules(transport);
    this.keys = new Keys(transport);
    this.clientKeys = new ClientKeys(transport);
    this.config = new Config(transport);
  }

  // Tasks

  /** Have a task done and wait for its answer. Without a type it is `general`; null lets Oxide find it out. */
  executeTask(prompt: Prompt, taskType?: TaskType | null, options?: TaskOptions): Promise<TaskAnswer>;
  executeTask(prompt: Prompt, options?: TypedTaskOptions): Promise<TaskAnswer>;
  executeTask(prompt: Prompt, second?: TypeOrOptions, third: TaskOptions = {}): Promise<TaskAnswer> {
    const { body, options } = taskCall(prompt, second, third);
    return this.#transport.post(EXECUTE, options, body);
  }

  /**
   * Have a task done and hear its answer as it comes: `task`, `delta` after `delta`, `usage`, `done`.
   *
   * An `error` event is followed by its exception. Leave the loop, or abort the signal, and the task is called off.
   */
  streamTask(prompt: Prompt, taskType?: TaskType | null, options?: TaskOptions): TaskEvents;
  streamTask(prompt: Prompt, options?: TypedTaskOptions): TaskEvents;
  streamTask(prompt: Prompt, second?: TypeOrOptions, third: TaskOptions = {}): TaskEvents {
    const { body, options } = taskCall(prompt, second, third);
    return taskEvents(this.#transport, { method: 'POST', path: EXECUTE, body: { ...body, stream: true } }, options);
  }

  /** Have a task done in the background: the answer is its id, at once. */
  startTask(prompt: Prompt, taskType?: TaskType | null, options?: TaskOptions): Promise<TaskAccepted>;
  startTask(prompt: Prompt, options?: TypedTaskOptions): Promise<TaskAccepted>;
  startTask(prompt: Prompt, second?: TypeOrOptions, third: TaskOptions = {}): Promise<TaskAccepted> {
    const { body, options } = taskCall(prompt, second, third);
    return this.#transport.post(EXECUTE, options, { ...body, background: true });
  }

  /** Wait for the end of a task. One that failed is thrown as the error that it failed with. */
  waitForTask(taskId: string, options: CallOptions = {}): Promise<TaskDetail> {
    return ended(this.#transport, taskPath(taskId), options);
  }

  /** One task with everything that is known of it. */
  task(taskId: string, options: CallOptions = {}): Promise<TaskDetail> {
    return this.#transport.get(taskPath(taskId), options);
  }

  /** Tasks, the newest first. */
  history(query: HistoryQuery = {}, options: CallOptions = {}): Promise<HistoryPage> {
    return this.#transport.get('/api/tasks/history/', options, query);
  }

  /** All tasks that are found, the newest first, in one answer: as much memory as they need. */
  exportHistory(query: HistoryFilter = {}, options: CallOptions = {}): Promise<Export> {
    return this.#transport.get('/api/tasks/export/', options, { ...query, as: 'json' });
  }

  /** Call a task off. */
  cancelTask(taskId: string, options: CallOptions = {}): Promise<TaskCancelling> {
    return this.#transport.post(`${taskPath(taskId)}cancel/`, options);
  }

  /** Who would do a task, and why. Nobody is called. */
  explain(prompt: Prompt, taskType?: TaskType | null, options?: TaskOptions): Promise<Explanation>;
  explain(prompt: Prompt, options?: TypedTaskOptions): Promise<Explanation>;
  explain(prompt: Prompt, second?: TypeOrOptions, third: TaskOptions = {}): Promise<Explanation> {
    const { body, options } = taskCall(prompt, second, third);
    return this.#transport.send({ method: 'POST', path: '/api/routing/explain/', body, onlyReads: true }, options);
  }

  // Figures

  /** What Oxide is doing now. */
  metrics(options: CallOptions = {}): Promise<Metrics> {
    return this.#transport.get('/api/monitoring/metrics/', options);
  }

  /** How the services did lately. */
  stats(query: StatsQuery = {}, options: CallOptions = {}): Promise<Stats> {
    return this.#transport.get('/api/monitoring/stats/', options, query);
  }

  /** The last hour by the minute. */
  series(options: CallOptions = {}): Promise<Series> {
    return this.#transport.get('/api/monitoring/series/', options);
  }

  /** What was spent on what. */
  costs(query: CostsQuery = {}, options: CallOptions = {}): Promise<Costs> {
    return this.#transport.get('/api/monitoring/costs/', options, query);
  }

  /** Whether a process answers. Web pages from elsewhere cannot ask that. */
  health(options: CallOptions = {}): Promise<Health> {
    return this.#transport.get('/health', options);
  }

  /** Whether a process can do its work. Where it cannot, a `ServiceUnavailableError` says what is wrong. */
  ready(options: CallOptions = {}): Promise<Readiness> {
    return this.#transport.get('/ready', { maxRetries: 0, ...options });
  }

  /** What happens, as it happens. */
  events(options: EventsOptions = {}): LiveEvents {
    return new LiveEvents(this.#transport, options);
  }

  // Identity

  /** Log in: calls from now on show who this is, and the login is kept alive for as long as this client is used. */
  async login(username: string, password: string, options: CallOptions = {}): Promise<TokenPair> {
    const body = { username, password };
    const call = { method: 'POST', path: '/auth/login', body, anonymous: true } as const;
    const pair = await this.#transport.send<TokenPair>(call, options);
    this.#transport.session.keep(pair);
    return pair;
  }

  /** Get the next pair of tokens. The client does that by itself when it is time. */
  async refresh(options: CallOptions = {}): Promise<TokenPair> {
    const deadline = this.#transport.deadline(options);
    try {
      return await deadline.race(this.#transport.session.renew());
    } finally {
      deadline.end();
    }
  }

  /** End the login: its tokens are refused from now on, and this client forgets them. */
  async logout(options: CallOptions = {}): Promise<LoggedOut> {
    const { session } = this.#transport;
    const body = session.refreshToken === undefined ? {} : { refresh_token: session.refreshToken };
    const answer = await this.#transport.post<LoggedOut>('/auth/logout', options, body);
    session.forget();
    return answer;
  }

  /** Change your own password. Ends all of your logins; this client continues with a new one. */
  async changePassword(currentPassword: string, newPassword: string, options: CallOptions = {}): Promise<TokenPair> {
    const body = { current_password: currentPassword, new_password: newPassword };
    const pair = await this.#transport.post<TokenPair>('/auth/password', options, body);
    this.#transport.session.keep(pair);
    return pair;
  }

  /** Who one is to Oxide, and what one may do. */
  me(options: CallOptions = {}): Promise<Me> {
    return this.#transport.get('/auth/me', options);
  }
}

function taskPath(taskId: string): string {
  return `/api/tasks/${encodeURIComponent(taskId)}/`;
}
