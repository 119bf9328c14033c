// What Oxide does at this moment. News and figures come over /ws; what does not is asked for now and then.

import { ask } from './api.js';
import { chart } from './chart.js';
import { find, mark, say, show } from './dom.js';
import { count, gigabytes, milliseconds, percent, plural, spent } from './format.js';
import { help } from './help.js';
import { goneOn, showHour } from './hour.js';
import { Live } from './live.js';
import { OpenTasks } from './open_tasks.js';
import { Samples } from './samples.js';
import { ServiceTable, changed } from './service_table.js';
import { calm, complain } from './trouble.js';

// Few enough for ten tabs within the limit of an address: see docs/dashboard.md.
const STATS_EVERY = 60_000;
const HOUR_EVERY = 60_000;
const SERVICES_EVERY = 30_000;
const COSTS_EVERY = 20_000;
const GAP = 16_000; // between two figures of tasks under way, which come every five seconds

const live = new Live();
const tasks = new OpenTasks(live);
const table = new ServiceTable(find('services'), find('no-services'));
const samples = new Samples();

let services = null;
let nextStep = null;
let figures = null;
let hour = null;
let inFlight = {};
let breakers = {};

function paintServices() {
  if (!services) return;
  table.show(services, inFlight, breakers, figures);
  help(find('help'), services, nextStep);
}

function showMetrics(data) {
  const isChanged = Object.entries(data.breakers).some(([name, state]) => breakers[name] && breakers[name] !== state);
  inFlight = data.in_flight;
  breakers = data.breakers;
  say(find('running'), count(data.tasks.running));
  const held = [tasks.waiting && `${count(tasks.waiting)} of them ${tasks.waiting === 1 ? 'waits' : 'wait'} for a place`, data.tasks.queued && `${count(data.tasks.queued)} more queued`];
  say(find('queued'), held.filter(Boolean).join(', ') || `${count(data.tasks.total)} in the history`);
  samples.add(data);
  say(find('cpu'), percent(data.system.cpu_percent));
  say(find('memory'), percent(data.system.memory_percent));
  say(find('memory-note'), `${gigabytes(data.system.memory_used_mb)} of ${gigabytes(data.system.memory_total_mb)}; Oxide ${count(data.system.process_memory_mb)} MB`);
  if (data.stats) showStats(data.stats);
  if (hour && data.minutes) showHour(hour = goneOn(hour, data.minutes));
  paintServices();
  paintRunning();
  // The outcome of a service's first check is told only where it is well.
  if (isChanged || Object.values(services ?? {}).some(isUnknown)) readServices.now();
}

const isUnknown = (service) => service.state === 'unchecked';

function paintRunning() {
  chart(find('running-chart'), samples.running, { name: 'Tasks under way, as this tab has seen them', top: 1, format: count, end: Date.now(), gap: GAP });
}

// Asks again and again while somebody looks, and says what was refused.
function regularly(pause, work) {
  let timer = null;
  let again = 0;
  async function run() {
    clearTimeout(timer);
    let next = pause;
    try {
      if (!document.hidden) await work();
      again = Date.now() + pause;
      note(work, null);
    } catch (error) {
      if (error.retryAfter) next = Math.max(pause, error.retryAfter * 1000);
      note(work, error);
    }
    clearTimeout(timer); // of another run that began meanwhile
    timer = setTimeout(run, next);
  }
  document.addEventListener('visibilitychange', () => !document.hidden && Date.now() > again && run());
  return { now: run };
}

const complaints = new Map();

function note(work, error) {
  if (error) complaints.set(work, error);
  else complaints.delete(work);
  const first = [...complaints.values()].find((each) => each.status !== 0); // that nobody answers stands above
  if (first) complain(first);
  else calm();
}

const readServices = regularly(SERVICES_EVERY, async () => {
  ({ services, next_step: nextStep } = await ask('/api/services/'));
  paintServices();
});

const readStats = regularly(STATS_EVERY, async () => {
  showStats(await ask('/api/monitoring/stats/?window=1h'));
  paintServices();
});

function showStats({ totals, services: byService }) {
  figures = byService;
  const { p50, p95 } = totals.latency_ms;
  say(find('latency'), milliseconds(p50));
  say(find('latency-note'), p95 === null ? 'no answers' : `p95 ${milliseconds(p95)}`);
  say(find('tokens'), count(totals.tokens.prompt + totals.tokens.completion));
  say(find('tokens-note'), `${count(totals.tokens.prompt)} prompt, ${count(totals.tokens.completion)} answer`);
}

const readHour = regularly(HOUR_EVERY, async () => showHour(hour = await ask('/api/monitoring/series/')));

const readCosts = regularly(COSTS_EVERY, async () => {
  const { total } = await ask('/api/monitoring/costs/?days=1');
  const unknown = total.by_basis.unknown?.requests ?? 0;
  say(find('cost-note'), `${spent(total.cost, total.requests, unknown)} since 0:00 UTC${unknown ? `; ${plural(unknown, 'request')} of unknown cost` : ''}`);
});

function readAll() {
  for (const reading of [readServices, readStats, readHour, readCosts]) reading.now();
}

// The connection

let countdown = null;
let wasLive = false;
let soon = null;

const SAID = {
  connecting: () => ['idle', 'Connecting …'],
  live: () => ['good', 'Live'],
  refused: ({ reason }) => ['bad', reason],
  lost: () => ['bad', 'Disconnected. Figures are old. Trying again\u00a0…'],
};

live.addEventListener('state', ({ detail }) => {
  clearInterval(countdown);
  // While it tries again and again, "connecting" would only flicker.
  const isRetry = detail.name === 'connecting' && document.body.classList.contains('stale');
  if (!isRetry) mark(find('link'), ...SAID[detail.name](detail));
  document.body.classList.toggle('stale', detail.name === 'lost' || detail.name === 'refused' || isRetry);
  show(find('reconnect'), detail.name === 'lost');
  if (detail.name === 'lost') {
    const left = () => say(find('reconnect'), `Connect now (${Math.max(0, Math.ceil((detail.until - Date.now()) / 1000))} s)`);
    left();
    countdown = setInterval(left, 500);
  }
  if (detail.login) note(live, Object.assign(new Error(detail.reason), { status: 401 }));
});

live.addEventListener('snapshot', ({ detail: { data } }) => {
  tasks.begin(data.tasks, data.more_tasks);
  showMetrics(data.metrics);
  if (wasLive) readAll();
  wasLive = true;
});
live.addEventListener('metrics', ({ detail }) => showMetrics(detail.data));
live.addEventListener('service_status', ({ detail: { service, data, removed } }) => {
  // Told by the change at once; why, by what is asked.
  if (removed) delete services?.[service];
  else if (services?.[service]) services[service] = changed(services[service], data);
  paintServices();
  clearTimeout(soon); // several often change together
  soon = setTimeout(readServices.now, 300);
});

find('reconnect').addEventListener('click', () => live.connect());
addEventListener('pagehide', () => samples.keep());
paintRunning();
readAll();
live.start();
