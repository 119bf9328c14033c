import type { KeySource } from './keys.js';
import type { RoutingRule } from './routing.js';

export interface Price {
  input_per_million: number;
  output_per_million: number;
  cached_input_per_million?: number;
  cache_write_per_million?: number;
  cache_write_1h_per_million?: number;
  reasoning_per_million?: number;
  per_request?: number;
  per_search?: number;
}

/** `declared` tells whether it stands in the file; the other fields are named as there. Of a key, the preview. */
export interface ConfiguredService {
  type: 'http' | 'cli' | 'builtin';
  api: string;
  enabled: boolean;
  base_url: string;
  command: string[];
  model: string;
  models: string[];
  capabilities: string[];
  api_key_env: string;
  api_key: string | null;
  api_key_source: KeySource | null;
  timeout_seconds: number;
  max_concurrency: number;
  max_retries: number;
  /** `interval` is in seconds, null for the server's own. */
  health: { enabled: boolean; path: string; method: 'GET' | 'HEAD' | 'POST' | 'OPTIONS'; interval: number | null };
  price: Price | null;
  options: Record<string, unknown>;
  headers: Record<string, string>;
  proxy: string;
  ca_file: string;
  declared: boolean;
}

export interface Configuration {
  services: Record<string, ConfiguredService>;
  routing: { rules: (RoutingRule & { declared: boolean })[]; default: string[] };
  security: {
    auth_enabled: boolean;
    rate_limits: { anonymous: string; authenticated: string };
    allowed_hosts: string[];
    cors_origins: string[];
  };
  source: { file: string; key_store: string };
}

/** By name; of what was changed also the fields. */
export interface RowsChanged {
  added: string[];
  changed: Record<string, string[]>;
  removed: string[];
}

export interface Reloaded {
  status: 'reloaded';
  message: string;
  changes: {
    services: RowsChanged;
    rules: RowsChanged;
    default_changed: boolean;
    security: string[];
    keys: string[];
  };
}
