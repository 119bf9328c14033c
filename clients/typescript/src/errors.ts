import type { Attempt, ConfigProblem, ErrorBody } from './types/tasks.js';

/** What an error is made of: `status` where a server answered, `retryAfter` (seconds) where waiting helps. */
export interface ErrorParts {
  code: string;
  message: string;
  detail?: string | undefined;
  status?: number | undefined;
  retryAfter?: number | undefined;
  body?: ErrorBody | undefined;
  cause?: unknown;
}

/** Whatever goes wrong, but for a call that was called off: that throws its signal's own reason. */
export class OxideError extends Error {
  override name = 'OxideError';
  /** Oxide's own (`RATE_LIMIT_EXCEEDED`), one of this client's (`DEADLINE`), or empty where another answered. */
  readonly code: string;
  /** What happened, and what to do about it. */
  readonly detail: string;
  readonly status: number | undefined;
  /** Seconds after which it is worth another try. */
  readonly retryAfter: number | undefined;
  /** The whole answer. */
  readonly body: ErrorBody | undefined;

  constructor(parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = parts.code;
    this.detail = parts.detail ?? parts.message;
    this.status = parts.status;
    this.retryAfter = parts.retryAfter;
    this.body = parts.body;
  }

  /** The task that failed, where it came to be one. */
  get taskId(): string | undefined {
    return this.body?.task_id;
  }

  /** Who was asked before the task failed, and what each said. */
  get attempts(): readonly Attempt[] {
    return this.body?.attempts ?? [];
  }
}

/** 400: the request is wrong, or the provider says that it is. */
export class ValidationError extends OxideError {
  override name = 'ValidationError';
}

/** 400: the configuration file cannot be used; everything stays as it was. */
export class ConfigInvalidError extends ValidationError {
  override name = 'ConfigInvalidError';

  get problems(): readonly ConfigProblem[] {
    return this.body?.problems ?? [];
  }
}

/** 401: no token or key, or one that is not valid (any more). */
export class UnauthorizedError extends OxideError {
  override name = 'UnauthorizedError';
}

/** 403: this caller, or this web page, may not do it. */
export class ForbiddenError extends OxideError {
  override name = 'ForbiddenError';
}

/** 404: there is no such task, service, rule or address. */
export class NotFoundError extends OxideError {
  override name = 'NotFoundError';
}

/** 405: the address takes no such method. */
export class MethodNotAllowedError extends OxideError {
  override name = 'MethodNotAllowedError';
}

/** 413: the body is larger than `OXIDE_MAX_BODY_MB`. */
export class PayloadTooLargeError extends OxideError {
  override name = 'PayloadTooLargeError';
}

/** 415: the body is of a type that Oxide does not read. */
export class UnsupportedMediaTypeError extends OxideError {
  override name = 'UnsupportedMediaTypeError';
}

/** 429: too many requests. `retryAfter` says when there may be more. */
export class RateLimitError extends OxideError {
  override name = 'RateLimitError';
}

/** 429: the provider limits the rate of Oxide's requests. `retryAfter` says when to try again, where that is known. */
export class ProviderRateLimitError extends RateLimitError {
  override name = 'ProviderRateLimitError';
}

/** 500: a defect of Oxide; its log says more. */
export class InternalError extends OxideError {
  override name = 'InternalError';
}

/** 502: the provider failed; `attempts` tell who said what. */
export class ProviderError extends OxideError {
  override name = 'ProviderError';
}

/** 529: the provider is overloaded: try again later. */
export class ProviderOverloadedError extends ProviderError {
  override name = 'ProviderOverloadedError';
}

/** 502: a provider refused the key that Oxide has for it. The caller's own credentials are good. */
export class InvalidApiKeyError extends ProviderError {
  override name = 'InvalidApiKeyError';
}

/** 503: nobody can do it now. */
export class ServiceUnavailableError extends OxideError {
  override name = 'ServiceUnavailableError';
}

/** 503: every place is taken. */
export class ServiceBusyError extends ServiceUnavailableError {
  override name = 'ServiceBusyError';
}

/** 504: the task's time ran out. */
export class TaskTimeoutError extends OxideError {
  override name = 'TaskTimeoutError';
}

/** The process that worked on the task ended before it did. */
export class TaskInterruptedError extends OxideError {
  override name = 'TaskInterruptedError';
}

/** The task was called off before it could be answered. */
export class TaskCancelledError extends OxideError {
  override name = 'TaskCancelledError';
}

/** There was no connection: nothing can have reached the server. */
export class ConnectionFailedError extends OxideError {
  override name = 'ConnectionFailedError';

  constructor(message: string, cause?: unknown, code = 'CONNECTION_FAILED') {
    super({ code, message, cause });
  }
}

/** The address itself is wrong, or its certificate is not accepted: another try would fail in the same way. */
export class WrongAddressError extends ConnectionFailedError {
  override name = 'WrongAddressError';

  constructor(message: string, cause?: unknown) {
    super(message, cause, 'WRONG_ADDRESS');
  }
}

/** The connection broke, or a browser does not tell whether there was one: a task that was sent may have run. */
export class ConnectionLostError extends OxideError {
  override name = 'ConnectionLostError';

  constructor(message: string, cause?: unknown) {
    super({ code: 'CONNECTION_LOST', message, cause });
  }
}

/** The call took longer than its `timeoutMs`. */
export class DeadlineError extends OxideError {
  override name = 'DeadlineError';

  constructor(timeoutMs: number) {
    super({ code: 'DEADLINE', message: `The call took longer than ${timeoutMs} ms. Give it a larger timeoutMs.` });
  }
}

/** Something answered that is not Oxide. */
export class UnexpectedAnswerError extends OxideError {
  override name = 'UnexpectedAnswerError';
}
