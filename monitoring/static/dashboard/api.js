// Asking Oxide's API, and saying what it refuses.

const token = document.querySelector('meta[name="csrf-token"]')?.content;

// Whether whoever looks may do what needs this scope. Where not, the page says so (templates/dashboard/lacking.html).
export const may = (scope) => document.body.dataset.scopes.split(' ').includes(scope);

// `detail` is the API's own text and says what to do next. `status` is 0 where nobody answered.
export class Refusal extends Error {
  constructor(status, body, retryAfter = null) {
    super(body.detail || body.error || `Oxide answered with status ${status}.`);
    this.status = status;
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

export const loginAddress = () => `/login?next=${encodeURIComponent(location.pathname + location.search)}`;

// The answer as it comes, for whoever reads it piece by piece. Raises `Refusal`, or an AbortError.
export async function request(path, { method = 'GET', body, signal } = {}) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && token) headers['X-CSRFToken'] = token;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, { detail: 'Oxide does not answer. Is it running, and can this machine reach it?' });
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

export async function ask(path, options) {
  return (await request(path, options)).json();
}

async function refusal(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // A proxy's own page, say: its status has to do.
  }
  if (answer.status === 401 && token) body = { ...body, detail: 'Your login has ended. Log in again.' };
  return new Refusal(answer.status, body, Number(answer.headers.get('Retry-After')) || null);
}
