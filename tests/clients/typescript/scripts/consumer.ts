// What the types let a program do, and what they do not. It is compiled and never run.
import {
  type CallOptions,
  type ClientOptions,
  type LiveEvent,
  Oxide,
  OxideError,
  RateLimitError,
  type TaskAnswer,
  type TaskEvent,
} from 'oxide-client';

export const plain: Oxide = new Oxide();
export const options: ClientOptions = { token: 'ox-…', timeoutMs: 1000, maxRetries: 1, headers: { 'X-Own': 'yes' } };
export const client = new Oxide('http://localhost:8000', options);

export async function tasks(call: CallOptions): Promise<number | null> {
  const answer: TaskAnswer = await client.executeTask('Hello');
  await client.executeTask('Hello', 'chat', { max_tokens: 5, stop: ['\n'], ...call });
  await client.executeTask('Hello', { task_type: null, service: 'auto', signal: new AbortController().signal });
  await client.executeTask([{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }], null);
  const format = { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } } as const;
  await client.executeTask('Hello', 'analysis', { response_format: format, tool_choice: 'required' });
  const type: 'general' | string = answer.task_type;
  return type === 'general' ? answer.cost : answer.usage.total_tokens;
}

export async function mistakes(): Promise<void> {
  // @ts-expect-error a type of task that there is not
  await client.executeTask('Hello', 'question-answer');
  // @ts-expect-error the API's own names, not these
  await client.executeTask('Hello', 'chat', { maxTokens: 5 });
  // @ts-expect-error this client's own names, not these
  await client.executeTask('Hello', 'chat', { timeout_ms: 5 });
  // @ts-expect-error a prompt is needed
  await client.executeTask();
  // @ts-expect-error the cost may not be known
  (await client.executeTask('Hello')).cost.toFixed(2);
  // @ts-expect-error a rule needs a service
  await client.rules.create({ task_type: 'chat' });
  // @ts-expect-error the id of a rule does not change
  await client.rules.update('rule-1', { id: 'rule-2' });
  // @ts-expect-error one of three windows
  await client.stats({ window: '2h' });
  // @ts-expect-error how a call is sent is the client's own affair
  client.services.transport;
}

export async function streams(): Promise<string> {
  let text = '';
  for await (const event of client.streamTask('Hello', 'chat', { service: 'echo' })) {
    switch (event.type) {
      case 'task':
        text += event.data.service ?? 'nobody yet';
        break;
      case 'delta':
        text += event.data.text ?? event.data.reasoning ?? event.data.tool_call?.arguments ?? '';
        break;
      case 'usage':
        text += event.data.usage.total_tokens.toFixed(0);
        break;
      case 'done':
        text += event.data.result;
        break;
      case 'error':
        text += event.data.detail;
        break;
      default:
        never(event);
    }
  }
  return text;
}

export async function events(): Promise<void> {
  const live = client.events({ topics: ['tasks'], tasks: [], signal: AbortSignal.timeout(1000) });
  live.follow('01a2060f-e649-74fb-aca1-e65a7bc908e4');
  for await (const event of live) {
    if (event.type === 'task_delta') event.text.slice(event.offset);
    if (event.type === 'task_progress') event.progress.toFixed(0);
    if (event.type === 'disconnected') event.retryInMs.toFixed(0);
    // @ts-expect-error not every event is about a task
    event.task_id;
  }
  // @ts-expect-error one of three topics
  client.events({ topics: ['text'] });
}

export function errors(error: unknown): string {
  if (error instanceof RateLimitError) return (error.retryAfter ?? 0).toFixed(0);
  if (error instanceof OxideError) return error.code + error.attempts.map((attempt) => attempt.error).join();
  throw error;
}

export type Both = TaskEvent['type'] | LiveEvent['type'];

function never(event: never): void {
  throw new Error(String(event));
}
