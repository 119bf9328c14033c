import type { WebSocketConstructor } from './socket.js';

/** How this client behaves. Names in camelCase are its own; what goes to Oxide keeps the API's names. */
export interface ClientOptions {
  /** An access token or a key for programs. `login` gets one, too. */
  token?: string;
  /** Milliseconds for a whole call, its retries included; 600,000 where left out. `Infinity` is no limit. */
  timeoutMs?: number;
  /** How many times a call is sent again where that is safe; 3 where left out. */
  maxRetries?: number;
  /** A server that asks for a longer pause is not waited for: its error is thrown. 60,000 where left out. */
  maxRetryDelayMs?: number;
  /** Sent with each request. */
  headers?: Record<string, string>;
  /** In place of the global one. */
  fetch?: typeof fetch;
  /** In place of the global one, which Node has from version 22 on. The one of the package `ws` fits. */
  WebSocket?: WebSocketConstructor;
}

/** Of one call. */
export interface CallOptions {
  /** Calls it off. The call then throws the signal's reason. */
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  maxRetries?: number | undefined;
}

export const DEFAULT_TIMEOUT_MS = 600_000;
export const DEFAULT_MAX_RETRIES = 3;
export const DEFAULT_MAX_RETRY_DELAY_MS = 60_000;
