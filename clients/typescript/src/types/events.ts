import type { Metrics } from './monitoring.js';
import type { TaskStatus, TaskType } from './tasks.js';

export type Topic = 'services' | 'metrics' | 'tasks';

export interface ServiceState {
  healthy: boolean;
  enabled: boolean;
}

/**
 * How everything stands now: first, and again where something may have been missed. A key without the scope `read` sees
 * its own tasks alone: no services, and `metrics` is null.
 */
export interface SnapshotEvent {
  type: 'snapshot';
  seq: number;
  data: {
    services: Record<string, ServiceState>;
    metrics: Metrics | null;
    /** Every open task, running ones first, at most 500. */
    tasks: Omit<TaskProgressEvent, 'seq'>[];
    more_tasks: boolean;
  };
}

/** A service fell ill, got well, was switched or changed; `removed` where it is no more. */
export interface ServiceStatusEvent {
  type: 'service_status';
  seq: number;
  service: string;
  data: ServiceState;
  removed?: boolean;
}

export interface MetricsEvent {
  type: 'metrics';
  seq: number;
  data: Metrics;
}

/**
 * `progress` goes from 0 to 100, `elapsed` is in seconds. `waiting` is true while a running task has no free place at its
 * service. The last three are told of a task that has ended.
 */
export interface TaskProgressEvent {
  type: 'task_progress';
  seq: number;
  task_id: string;
  status: TaskStatus;
  progress: number;
  task_type: TaskType;
  service: string;
  model: string;
  elapsed: number | null;
  /** While it is open, where a price is known, in US dollars: of its prompt, and of each token that comes. */
  estimate?: { prompt_cost: number; token_cost: number };
  waiting?: true;
  tokens?: number;
  cost?: number | null;
  error_code?: string;
}

/** A piece of the answer of a followed task. `offset` is how many characters (code points) came before it. */
export interface TaskDeltaEvent {
  type: 'task_delta';
  seq: number;
  task_id: string;
  text: string;
  offset: number;
}

/** What this connection hears from now on. `detail` says which scope is missing for more. */
export interface SubscribedEvent {
  type: 'subscribed';
  topics: Topic[];
  task_ids: string[];
  detail?: string;
}

export interface AuthenticatedEvent {
  type: 'authenticated';
  name: string;
  kind: 'anonymous' | 'user' | 'key';
}

/** What was wrong with something that this client said. */
export interface ComplaintEvent {
  type: 'error';
  code: string;
  detail: string;
}

/** Told by the client itself: the connection is there. `attempt` is 1 where it came about at once. */
export interface ConnectedEvent {
  type: 'connected';
  attempt: number;
}

/** Told by the client itself: the connection is gone, and is made again after `retryInMs`. */
export interface DisconnectedEvent {
  type: 'disconnected';
  code: number;
  reason: string;
  retryInMs: number;
}

export type LiveEvent =
  | SnapshotEvent
  | ServiceStatusEvent
  | MetricsEvent
  | TaskProgressEvent
  | TaskDeltaEvent
  | SubscribedEvent
  | AuthenticatedEvent
  | ComplaintEvent
  | ConnectedEvent
  | DisconnectedEvent;
