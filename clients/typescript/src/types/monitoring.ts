import type { BreakerState } from './services.js';
import type { CostBasis } from './tasks.js';

/** The machine's processor and memory, and what the answering process has of them. */
export interface System {
  cpu_percent: number;
  memory_percent: number;
  memory_used_mb: number;
  memory_total_mb: number;
  process_memory_mb: number;
  process_threads: number;
  process_uptime_seconds: number;
}

export interface Metrics {
  services: { total: number; healthy: number; unhealthy: number; enabled: number; unchecked: number };
  tasks: { total: number; queued: number; running: number; completed: number; failed: number; cancelled: number };
  /** Calls under way to each service, from the process that answers. */
  in_flight: Record<string, number>;
  /** The circuit breaker of each service, as the process that answers has it. */
  breakers: Record<string, BreakerState>;
  system: System;
}

export interface StatsQuery {
  /** `24h` where left out. */
  window?: '1h' | '24h' | '7d';
}

/** A request is one attempt at one service. Latencies are in milliseconds, costs in US dollars. */
export interface Figures {
  requests: number;
  errors: number;
  cancelled: number;
  error_rate: number;
  latency_ms: { p50: number | null; p95: number | null; p99: number | null };
  tokens: { prompt: number; completion: number; cached: number; reasoning: number; total: number };
  cost: number;
  requests_of_unknown_cost: number;
}

export interface Stats {
  window: '1h' | '24h' | '7d';
  since: string;
  until: string;
  tasks: { total: number; completed: number; failed: number; cancelled: number };
  totals: Figures;
  services: Record<string, Figures>;
  system: System;
}

/**
 * What ended in the minute that begins `at`; the machine's load is null while the answering process was not there.
 * `requests` are those that cost something or might have.
 */
export interface Point {
  at: string;
  tasks: number;
  failed: number;
  latency_ms: { p50: number | null; p95: number | null; p99: number | null };
  tokens: number;
  cost: number;
  requests: number;
  requests_of_unknown_cost: number;
  cpu_percent: number | null;
  memory_percent: number | null;
}

/** Sixty minutes, the oldest first. */
export interface Series {
  since: string;
  until: string;
  points: Point[];
}

export interface CostsQuery {
  /** `day` where left out. */
  group_by?: 'day' | 'service' | 'model' | 'task_type';
  /** 1 to 3650, today included; 30 where left out. */
  days?: number;
}

/** `by_basis` says how sure the cost is. */
export interface CostFigures {
  cost: number;
  requests: number;
  tokens: number;
  by_basis: Record<CostBasis, { requests: number; tokens: number; cost: number; share: number }>;
}

export interface Costs {
  group_by: 'day' | 'service' | 'model' | 'task_type';
  days: number;
  since: string;
  currency: 'USD';
  total: CostFigures;
  /** `key` is a date, such as 2026-01-31, or the name of a service, model or task type. */
  groups: (CostFigures & { key: string })[];
}

export interface Health {
  status: 'ok';
}

export interface Readiness {
  status: 'ready' | 'not ready';
  checks: Record<string, { ok: boolean; detail: string }>;
}
