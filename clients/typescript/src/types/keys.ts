export type KeySource = 'environment' | 'database' | 'file';

/** `valid` is true once a check or test has shown it; `state` also tells "unknown" from "invalid". */
export interface KeyStatus {
  service: string;
  configured: boolean;
  valid: boolean;
  key_preview: string | null;
  state: 'missing' | 'unknown' | 'valid' | 'invalid';
  source: KeySource | null;
  variable: string | null;
  checked_at: string | null;
  detail: string;
}

export interface KeyStatusList {
  total: number;
  configured: number;
  services: Record<string, KeyStatus>;
}

/** `success` says that the test could be made, `valid` how it came out. */
export interface KeyTested {
  success: boolean;
  valid: boolean;
  message: string;
  details: { model_count: number; service: string };
}

/** `in_force` is false where another key is found earlier: `shadowed_by` names its variable. */
export interface KeyUpdated {
  success: boolean;
  service: string;
  message: string;
  warning: string | null;
  stored_in: KeySource;
  in_force: boolean;
  shadowed_by: string | null;
  key_preview: string;
}
