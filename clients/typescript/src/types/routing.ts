import type { CostBasis, TaskType } from './tasks.js';

/** Tasks of one type go to one service: the lowest priority first; `weight` is the share among equals. */
export interface RoutingRule {
  id: string;
  task_type: TaskType;
  service: string;
  /** Empty: the service's own default model. */
  model: string;
  priority: number;
  weight: number;
  enabled: boolean;
  note: string;
}

/** What is left out gets its default: an id, priority 100, weight 1, enabled. */
export type NewRoutingRule = Pick<RoutingRule, 'task_type' | 'service'> & Partial<RoutingRule>;

/** The id of a rule does not change. */
export type RoutingRuleChanges = Partial<Omit<RoutingRule, 'id'>>;

/** `default` names the services that are asked after the rules, in their order. */
export interface RoutingRuleList {
  rules: RoutingRule[];
  default: string[];
}

/** Who would be asked, in order, and why the others would not. `confidence` is null where the type was given. */
export interface Explanation {
  task_type: TaskType;
  confidence: number | null;
  candidates: {
    place: number;
    service: string;
    model: string;
    reason: string;
    rule: string | null;
    /** A last resort, called after all others. */
    demoted: boolean;
    /** US dollars, and null where no price is known. */
    estimated_cost: number | null;
    cost_basis: CostBasis;
  }[];
  skipped: { service: string; reason: string }[];
  estimate: { prompt_tokens: number; completion_tokens: number };
}
