import { wantsTls, wrongScheme } from './addresses.js';
import {
  ConfigInvalidError,
  ForbiddenError,
  InternalError,
  InvalidApiKeyError,
  MethodNotAllowedError,
  NotFoundError,
  OxideError,
  PayloadTooLargeError,
  ProviderError,
  ProviderOverloadedError,
  ProviderRateLimitError,
  RateLimitError,
  ServiceBusyError,
  ServiceUnavailableError,
  TaskCancelledError,
  TaskInterruptedError,
  TaskTimeoutError,
  UnauthorizedError,
  UnexpectedAnswerError,
  UnsupportedMediaTypeError,
  ValidationError,
} from './errors.js';
import type { ErrorBody } from './types/tasks.js';

const CLASSES: Record<string, typeof OxideError> = {
  VALIDATION_ERROR: ValidationError,
  CONFIG_INVALID: ConfigInvalidError,
  UNAUTHORIZED: UnauthorizedError,
  FORBIDDEN: ForbiddenError,
  NOT_FOUND: NotFoundError,
  MODEL_NOT_FOUND: NotFoundError,
  METHOD_NOT_ALLOWED: MethodNotAllowedError,
  PAYLOAD_TOO_LARGE: PayloadTooLargeError,
  UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaTypeError,
  RATE_LIMIT_EXCEEDED: RateLimitError,
  INTERNAL_ERROR: InternalError,
  PROVIDER_ERROR: ProviderError,
  PROVIDER_RATE_LIMITED: ProviderRateLimitError,
  PROVIDER_OVERLOADED: ProviderOverloadedError,
  INVALID_API_KEY: InvalidApiKeyError,
  SERVICE_UNAVAILABLE: ServiceUnavailableError,
  SERVICE_BUSY: ServiceBusyError,
  TIMEOUT: TaskTimeoutError,
  INTERRUPTED: TaskInterruptedError,
  CANCELLED: TaskCancelledError,
};

// What a proxy before Oxide says in words of its own.
const CLASSES_OF_OTHERS: Record<number, typeof OxideError> = {
  401: UnauthorizedError,
  403: ForbiddenError,
  413: PayloadTooLargeError,
  429: RateLimitError,
  503: ServiceUnavailableError,
};

/** The error for a body that Oxide sent. */
export function errorOf(body: ErrorBody, status?: number, retryAfter?: number): OxideError {
  const kind = CLASSES[body.code] ?? OxideError;
  const message = `${body.error}: ${body.detail}`;
  return new kind({ code: body.code, message, detail: body.detail, status, retryAfter, body });
}

/** The error for an answer, whoever sent it. */
export async function errorOfResponse(response: Response, address: string): Promise<OxideError> {
  const text = await response.text();
  const retryAfter = secondsOf(response.headers.get('Retry-After'));
  const body = errorBodyOf(text);
  if (body) return errorOf(body, response.status, retryAfter);
  if (wantsTls(response.status, text)) return wrongScheme(address, 'https');
  const kind = CLASSES_OF_OTHERS[response.status] ?? UnexpectedAnswerError;
  const said = text.trim().slice(0, 200) || 'nothing more';
  const what = `${response.url} answered ${response.status}, and not in the words of Oxide`;
  const message = `${what} (${said}). Check the address.`;
  return new kind({ code: '', message, status: response.status, retryAfter });
}

function errorBodyOf(text: string): ErrorBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isErrorBody(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

function isErrorBody(body: unknown): body is ErrorBody {
  return typeof body === 'object' && body !== null && typeof (body as ErrorBody).code === 'string';
}

/** `Retry-After` is a number of seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function secondsOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header);
  const moment = Date.parse(header);
  return Number.isNaN(moment) ? undefined : Math.max(0, (moment - Date.now()) / 1000);
}
