// Calls every method of the client once, and prints what each answered with the type that it should have.
import { Oxide } from 'oxide-client';
import { recorded, requests, uncalled, watched } from './recording.mjs';

const [url, secondKey] = process.argv.slice(2);
const client = watched(new Oxide(url, { fetch: recorded }));
const answers = [];
const note = async (type, promise) => {
  const answer = await promise;
  answers.push([type, answer ?? null]);
  return answer;
};

const answer = await note('TaskAnswer', client.executeTask('What is quantum computing?', 'question_answer', { max_tokens: 50 }));
await note('TaskAnswer', client.executeTask('And a qubit?', { task_type: null, service: 'second' }));
const conversation = [
  { role: 'system', content: 'Be short.' },
  { role: 'user', content: [{ type: 'text', text: 'Look' }, { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] },
  { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } }] },
  { role: 'tool', tool_call_id: 'a', content: 'A cat.' },
];
const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object' } } }];
const spoken = await note('TaskAnswer', client.executeTask(conversation, 'chat', { tools, service: 'first' }));
const accepted = await note('TaskAccepted', client.startTask('In the background', 'summarization'));
const waited = await note('TaskDetail', client.waitForTask(accepted.task_id));
await note('TaskDetail', client.task(spoken.task_id));
await note('TaskDetail', client.task(answer.task_id));
await note('HistoryPage', client.history({ limit: 2, status: 'completed', created_after: new Date(Date.now() - 3_600_000) }));
await note('Export', client.exportHistory({ status: 'completed' }));
await note('Explanation', client.explain('Guten Morgen', 'translation'));

const slow = await client.startTask('Take your time', { service: 'hanging' });
await note('TaskCancelling', client.cancelTask(slow.task_id));
const cancelled = await note('TaskDetail', client.waitForTask(slow.task_id));

await note('ServiceList', client.services.list());
await note('ServiceDetail', client.services.details('first'));
await note('ServiceTested', client.services.test('first'));
await note('ModelList', client.services.models('first'));
const disabled = await note('ServiceDetail', client.services.disable('second'));
const enabled = await note('ServiceDetail', client.services.enable('second'));

const rule = await note('RoutingRule', client.rules.create({ task_type: 'translation', service: 'second', priority: 1 }));
await note('RoutingRuleList', client.rules.list());
await note('RoutingRule', client.rules.get(rule.id));
const changed = await note('RoutingRule', client.rules.update(rule.id, { note: 'German', enabled: false }));
const deleted = await client.rules.delete(rule.id);

await note('Metrics', client.metrics());
await note('Stats', client.stats({ window: '1h' }));
await note('Series', client.series());
await note('Costs', client.costs({ group_by: 'service', days: 2 }));
await note('Health', client.health());
await note('Readiness', client.ready());

await note('KeyStatus', client.keys.status('keyed'));
await note('KeyStatusList', client.keys.statuses());
await note('KeyTested', client.keys.test('keyed'));
await note('KeyTested', client.keys.test('keyed', secondKey));
const updated = await note('KeyUpdated', client.keys.update('keyed', secondKey));

await note('Configuration', client.config.get());
await note('Reloaded', client.config.reload());
await note('Me', client.me());

console.log(
  JSON.stringify({
    answers,
    requests,
    uncalled: [...uncalled],
    waited: waited.status,
    cancelled: cancelled.status,
    switched: [disabled.enabled, enabled.enabled],
    changed: [changed.note, changed.enabled],
    deleted: deleted === undefined,
    inForce: updated.in_force,
  }),
);
