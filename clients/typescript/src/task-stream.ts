import { connectionError } from './addresses.js';
import { errorOf } from './error-answers.js';
import { ConnectionLostError, UnexpectedAnswerError } from './errors.js';
import type { CallOptions } from './options.js';
import { type ServerSentEvent, readEvents } from './sse.js';
import type { Call, Transport } from './transport.js';
import type { TaskEvent } from './types/tasks.js';

export type TaskEvents = AsyncGenerator<TaskEvent, void, undefined>;

const KNOWN = new Set(['task', 'delta', 'usage', 'done', 'error']);

/**
 * A task's answer as it comes. It is sent when the first event is asked for; who stops reading calls the task off.
 *
 * An `error` event is told, and then thrown as the error that it is, so that none goes unnoticed.
 */
export async function* taskEvents(
  transport: Transport,
  call: Call,
  options: CallOptions,
): TaskEvents {
  const deadline = transport.deadline(options);
  let ended = false;
  try {
    const body = await transport.open(call, options, deadline, bodyOf);
    for await (const sent of reading(body, transport.baseUrl, () => deadline.check())) {
      const event = taskEvent(sent);
      if (!event) continue;
      ended ||= event.type === 'done';
      yield event;
      if (event.type === 'error') throw errorOf(event.data);
    }
    deadline.check();
    if (!ended) throw new ConnectionLostError('The stream broke off before the task was done.');
  } finally {
    if (ended) deadline.end();
    else deadline.abandon();
  }
}

async function bodyOf(response: Response): Promise<ReadableStream<Uint8Array>> {
  const type = response.headers.get('Content-Type') ?? '';
  if (!response.body || !type.startsWith('text/event-stream')) {
    const message = `${response.url} answered ${type || 'nothing'} where a stream was asked for. Check the address.`;
    throw new UnexpectedAnswerError({ code: '', message, status: response.status });
  }
  return response.body;
}

/** The same events; whatever breaks the connection is told in this client's own words. */
async function* reading(
  body: ReadableStream<Uint8Array>,
  address: string,
  check: () => void,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  try {
    yield* readEvents(body);
  } catch (error) {
    check();
    throw connectionError(error, address, false);
  }
}

/** Later versions may have more kinds of events: they are passed over. */
function taskEvent(sent: ServerSentEvent): TaskEvent | undefined {
  return KNOWN.has(sent.name) ? ({ type: sent.name, data: JSON.parse(sent.data) } as TaskEvent) : undefined;
}
