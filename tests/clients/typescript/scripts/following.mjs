// Follows a task that is under way already, and loses a connection that falls silent.
import { Oxide } from 'oxide-client';
import WebSocket from 'ws';

const [url, silentUrl] = process.argv.slice(2);
const client = new Oxide(url, { WebSocket });
const seen = {};

const { task_id } = await client.startTask('Tell me slowly', 'chat', { service: 'first' });
await new Promise((resolve) => setTimeout(resolve, 400));
const events = client.events({ topics: [], tasks: [task_id] });
const types = new Set();
for await (const event of events) {
  types.add(event.type);
  seen.firstOffset ??= event.type === 'task_delta' ? event.offset : undefined;
  if (event.type === 'task_progress' && event.progress === 100) break;
}
seen.types = [...types].sort();
seen.text = events.textOf(task_id);
events.unfollow(task_id);
seen.forgotten = events.textOf(task_id);
for await (const event of client.events({ topics: [], tasks: [task_id] })) {
  if (event.type === 'task_progress') {
    seen.late = [event.status, event.progress];
    break;
  }
}

const silent = new Oxide(silentUrl, { WebSocket });
const heard = [];
for await (const event of silent.events({ heartbeatMs: 100, firstPauseMs: 10 })) {
  heard.push(event);
  if (heard.length === 3) break;
}
seen.silent = heard.map(({ type, code, reason }) => [type, code, reason]);

const controller = new AbortController();
setTimeout(() => controller.abort(), 200);
const listening = async () => {
  for await (const event of client.events({ signal: controller.signal })) seen.last = event.type;
};
seen.aborted = await listening().catch((error) => error.name);

const away = new Oxide('http://127.0.0.1:1', { WebSocket });
const tries = [];
for await (const event of away.events({ firstPauseMs: 20, longestPauseMs: 50 })) {
  tries.push([event.type, event.code, event.retryInMs]);
  if (tries.length === 4) break;
}
seen.tries = tries;
const { WebSocket: own } = globalThis;
seen.without = own ? 'NO_WEBSOCKET' : await new Oxide(url).events()[Symbol.asyncIterator]().next().catch((error) => error.code);
console.log(JSON.stringify(seen));
