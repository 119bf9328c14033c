export interface ServiceInfo {
  type: 'http' | 'cli' | 'builtin';
  api: string;
  base_url: string;
  model: string;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export interface ServiceSummary {
  enabled: boolean;
  healthy: boolean;
  info: ServiceInfo;
}

/**
 * `obstacle` is why Oxide calls it only after all others, or without a key (`no_key`) not at all, worded to follow its
 * name; '' where nothing is in the way.
 * The same for programs: `obstacle_code`, `obstacle_detail` without what the code says already, and `obstacle_variable`,
 * the environment variable in which a missing or refused key is looked for.
 * `state` is its state in one word, `state_text` the same for people, and `state_detail` what else is known of it.
 * `capabilities` are the types of task that the default order has it for; none: all of them.
 */
export interface ServiceListed extends ServiceSummary {
  breaker: BreakerState;
  state: 'off' | 'no_key' | 'key_refused' | 'unhealthy' | 'resting' | 'healthy' | 'list_unknown' | 'unchecked';
  state_text: string;
  state_detail: string;
  obstacle: string;
  obstacle_code: '' | 'no_key' | 'key_refused' | 'unhealthy' | 'resting';
  obstacle_detail: string;
  obstacle_variable: string;
  capabilities: string[];
}

/** For people: `page` is where in the admin pages one does it, `command` what one may type; '' where there is none. */
export interface NextStep {
  title: string;
  service: string;
  text: string;
  page: string;
  action: string;
  command: string;
}

/** `next_step` is there while no service is ready. */
export interface ServiceList {
  total: number;
  healthy: number;
  enabled: number;
  services: Record<string, ServiceListed>;
  next_step: NextStep | null;
}

export interface ServiceDetail extends ServiceSummary {
  name: string;
  health: { checked_at: string | null; response_ms: number | null; detail: string };
  breaker: BreakerState;
  in_flight: number;
  has_key: boolean;
  models: string[];
  capabilities: string[];
  timeout_seconds: number;
  max_concurrency: number;
  max_retries: number;
}

/** `success` says that the service answered as it should. */
export interface ServiceTested {
  service: string;
  success: boolean;
  healthy: boolean;
  message: string;
  response_ms: number;
  model_count: number;
}

/** `problem` says why the list could not be read just now: then `models` is what was known before; '' otherwise. */
export interface ModelList {
  service: string;
  default: string;
  models: string[];
  problem: string;
}
