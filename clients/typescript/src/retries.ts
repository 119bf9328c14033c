import { ConnectionFailedError, ConnectionLostError, type OxideError } from './errors.js';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;
const LONGEST_JITTER_MS = 5_000;
const REFUSALS = new Set(['Service busy', 'Service not available']);
const REFUSED = new Set(['rate_limited', 'overloaded']);

/**
 * Whether a call may be sent again.
 *
 * One that only reads may, after 429, 503, 529 and any failure of the connection. Any other only where it certainly did
 * nothing: sent away by a rate limit, turned away before anybody was asked, or never sent.
 */
export function mayRepeat(error: OxideError, onlyReads: boolean): boolean {
  if (error instanceof ConnectionFailedError) return true;
  if (error.status === 429 || error.status === 529) return wasRefused(error);
  if (error instanceof ConnectionLostError) return onlyReads;
  return error.status === 503 && (onlyReads || didNothing(error));
}

/**
 * Some 503 tell of a task that has run: one that was called off, or that could not be recorded because the database is
 * away. Oxide names a time where waiting helps. One that is not Oxide's comes from a proxy that did not get through.
 */
function didNothing(error: OxideError): boolean {
  if (!error.body) return true;
  return REFUSALS.has(error.body.error) && error.retryAfter !== undefined && wasRefused(error);
}

/** Whether no provider did anything: it limits the rate of requests, or is overloaded. */
function wasRefused(error: OxideError): boolean {
  return error.attempts.every((attempt) => REFUSED.has(attempt.error_kind));
}

/** Milliseconds to wait before the next try, never less than the server asked for. `failures` counts from 1. */
export function pauseBefore(failures: number, retryAfter: number | undefined): number {
  if (retryAfter === undefined) return backoff(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  const asked = retryAfter * 1000;
  // All who were told the same time would come back at the same moment.
  return asked + Math.random() * Math.min(100 + asked / 10, LONGEST_JITTER_MS);
}

/** Twice as long each time, between half of it and all of it. */
export function backoff(failures: number, firstMs: number, longestMs: number): number {
  return Math.min(longestMs, firstMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}
