// Tells each live event as a line of JSON, until the task that it follows is done.
import { Oxide } from 'oxide-client';
import WebSocket from 'ws';

const [url, prompt] = process.argv.slice(2);
const client = new Oxide(url, { WebSocket });
const events = client.events({ topics: ['services', 'tasks'], longestPauseMs: 500 });
const tell = (what) => console.log(JSON.stringify(what));

let connections = 0;
for await (const event of events) {
  if (event.type === 'snapshot') {
    tell({ type: 'snapshot', services: Object.keys(event.data.services).length, tasks: event.data.tasks.length });
    const { task_id } = await client.startTask(prompt, 'chat', { service: 'first' });
    events.follow(task_id);
    tell({ type: 'following', task_id });
    connections += 1;
  } else if (event.type === 'task_delta') {
    tell({ ...event, whole: events.textOf(event.task_id) });
  } else {
    tell(event);
  }
  if (event.type === 'task_progress' && event.status === 'completed' && connections === 2) events.close();
}
tell({ type: 'end' });
