import { ConnectionFailedError, ConnectionLostError, type OxideError, WrongAddressError } from './errors.js';

/** The base address without a slash at its end. A page may leave it empty, or give a path: then its own host is asked. */
export function checkedAddress(baseUrl: string): string {
  const given = baseUrl.trim();
  if (given !== '' && !given.startsWith('/') && !/^https?:\/\/[^/]/i.test(given)) {
    const advice = `Use ${corrected(given)}.`;
    throw new WrongAddressError(`The address must begin with http:// or https://, not ${given}. ${advice}`);
  }
  return given.replace(/\/+$/, '');
}

/** `localhost:8000` and `ws://localhost:8000` with the scheme that was most likely meant. */
function corrected(given: string): string {
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(given) ?? [];
  if (!/^(\[[\da-f:.]+\]|[\w.-]+)(:\d+)?(\/[\w./-]*)?$/i.test(rest)) return 'one such as http://localhost:8000';
  return `${scheme === 'wss' || scheme === 'https' ? 'https' : 'http'}://${rest}`;
}

// What Node's fetch says where it has sent nothing. Browsers do not tell why a request failed.
const NEVER_MADE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
// Where a name is wrong, to start Oxide is no help.
const NO_HOST = new Set(['ENOTFOUND', 'EAI_AGAIN']);
// What OpenSSL and Node's fetch say of a certificate.
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;
// OpenSSL, where the answer to its greeting is no TLS.
const NO_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)$/;
// Node's fetch, where a server of TLS answers with an alert, or hangs up.
const NO_HTTP = /^(HPE_|UND_ERR_SOCKET$|ECONNRESET$)/;

interface Cause {
  code?: string;
  message?: string;
}

/** What happened on the way, in this client's own words. `onlyReads` where the call has changed nothing. */
export function connectionError(error: unknown, address: string, onlyReads: boolean): OxideError {
  const cause = (error as { cause?: Cause } | null)?.cause;
  const code = cause?.code ?? '';
  const why = code || cause?.message || String((error as Error | null)?.message ?? error);
  if (NO_TLS.test(code) && /^https:/i.test(address)) return wrongScheme(address, 'http', error);
  if (CERTIFICATE.test(code)) {
    const advice = "Use the name that it is made for; name your own authority's file in NODE_EXTRA_CA_CERTS.";
    return new WrongAddressError(`The certificate of ${address} is not accepted (${why}). ${advice}`, error);
  }
  if (NEVER_MADE.has(code)) {
    const advice = NO_HOST.has(code) ? 'Check the name of the host.' : 'Check the address, and that Oxide runs.';
    return new ConnectionFailedError(`There is no connection to ${address} (${why}). ${advice}`, error);
  }
  const advice = onlyReads ? 'Try again.' : 'The call may have been made: look at the history before you repeat it.';
  return new ConnectionLostError(`The connection to ${address} failed (${why}). ${advice}`, error);
}

/** Whether a failure looks as it does where a server of TLS is asked without. */
export function mayWantTls(error: unknown, address: string): boolean {
  if (!(error instanceof ConnectionLostError) || !/^http:/i.test(address)) return false;
  const cause = (error.cause as { cause?: Cause } | null)?.cause;
  return NO_HTTP.test(cause?.code ?? '');
}

/** Asks with TLS; the error that names the right address where that is answered, or where only the certificate fails. */
export async function tlsMismatch(address: string, signal: AbortSignal): Promise<WrongAddressError | undefined> {
  const secure = address.replace(/^http:/i, 'https:');
  try {
    await fetch(`${secure}/health`, { method: 'HEAD', signal });
  } catch (error) {
    const code = (error as { cause?: Cause } | null)?.cause?.code ?? '';
    if (!CERTIFICATE.test(code) && !/^ERR_(SSL_.*ALERT|TLS_CERT)/.test(code)) return undefined;
  }
  return wrongScheme(address, 'https');
}

// nginx, Go and Apache, asked without TLS at a port for TLS.
const WANTS_TLS = /HTTP request (was sent )?to an? ?HTTPS|to HTTPS port|SSL-enabled server port/i;

export function wantsTls(status: number, said: string): boolean {
  return status === 400 && WANTS_TLS.test(said);
}

/** `right` is the scheme that the server speaks. */
export function wrongScheme(address: string, right: 'http' | 'https', cause?: unknown): WrongAddressError {
  const speaks = right === 'https' ? 'TLS' : 'plain HTTP, without TLS';
  const good = address.replace(/^https?/i, right);
  const message = `${address} has the wrong scheme: the server speaks ${speaks}. Use ${good} as address.`;
  return new WrongAddressError(message, cause);
}
