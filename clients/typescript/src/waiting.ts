import { errorOf } from './error-answers.js';
import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { TaskDetail } from './types/tasks.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** Look at a task, less and less often, until it has ended. Throws the error of one that failed. */
export async function ended(transport: Transport, path: string, options: CallOptions): Promise<TaskDetail> {
  const deadline = transport.deadline(options);
  try {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
      const call = { signal: deadline.signal, timeoutMs: Infinity, maxRetries: options.maxRetries };
      const task = await transport.get<TaskDetail>(path, call);
      if (task.status === 'failed') throw failureOf(task);
      if (task.status !== 'queued' && task.status !== 'running') return task;
      await deadline.sleep(pause);
    }
  } finally {
    deadline.end();
  }
}

function failureOf(task: TaskDetail): Error {
  const { error_code, error_detail, task_id, status, attempts } = task;
  return errorOf({ error: 'Task failed', detail: error_detail, code: error_code, task_id, status, attempts });
}
