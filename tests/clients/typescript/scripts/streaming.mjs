// Streams of all kinds against Oxide, one after the other; and what becomes of those that are left.
import { Oxide, ProviderError, ValidationError } from 'oxide-client';

const [url] = process.argv.slice(2);
const client = new Oxide(url, { maxRetries: 0 });
const seen = {};

async function read(stream, leave = () => false) {
  const events = [];
  try {
    for await (const event of stream) {
      events.push({ ...event, at: performance.now() });
      if (leave(event, events)) break;
    }
  } catch (error) {
    return { events, error };
  }
  return { events };
}

const isText = (event) => event.type === 'delta' && event.data.text;
const textOf = (events) => events.filter(isText).map((event) => event.data.text).join('');

const whole = await read(client.streamTask('What is quantum computing?', 'question_answer', { service: 'first' }));
seen.types = whole.events.map((event) => event.type);
seen.events = whole.events.map(({ type, data }) => [type, data]);
seen.text = textOf(whole.events);
const texts = whole.events.filter(isText);
seen.spreadMs = texts.at(-1).at - texts[0].at;
seen.pieces = texts.length;

const left = await read(client.streamTask('Leave me', { service: 'left' }), (event) => isText(event));
seen.left = left.events.map((event) => event.type);

const controller = new AbortController();
const aborting = client.streamTask('Abort me', { service: 'aborted', signal: controller.signal });
const aborted = await read(aborting, (event) => isText(event) && controller.abort());
seen.aborted = [aborted.error.name, aborted.events.map((event) => event.type).slice(0, 2)];

const hanging = client.executeTask('Wait for me', { service: 'hanging', signal: AbortSignal.timeout(300) });
seen.hanging = await hanging.catch((error) => error.name);

const broken = await read(client.streamTask('Break off', { service: 'breaking' }));
seen.broken = {
  types: [...new Set(broken.events.map((event) => event.type))],
  isProviderError: broken.error instanceof ProviderError,
  attempts: broken.error.attempts.map((attempt) => attempt.service),
  taskId: broken.error.taskId === broken.events[0].data.task_id,
};

const refused = await read(client.streamTask('Fail', { service: 'failing' }));
seen.refused = [refused.error.name, refused.error.status, refused.events.length, refused.error.attempts.length];
seen.failed = await client.executeTask('Fail', { service: 'failing' }).catch((error) => [error.name, error.attempts[0].http_status]);
const nobody = await read(client.streamTask('Hello', { service: 'nobody' }));
seen.unknown = [nobody.error instanceof ValidationError, nobody.error.detail];
seen.histories = await Promise.all(
  ['left', 'aborted', 'hanging'].map(async (service) => {
    for (;;) {
      const { tasks } = await client.history({ search: { left: 'Leave me', aborted: 'Abort me', hanging: 'Wait for me' }[service] });
      if (tasks[0] && tasks[0].status !== 'running') return [service, tasks[0].status];
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }),
);
console.log(JSON.stringify(seen));
