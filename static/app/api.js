/**
 * The HTTP side: one function that sends, one place that knows the access token.
 *
 * The access token lives in memory only; a reload gets a new one from the refresh cookie, which scripts cannot read. Refreshing
 * is single flight in this tab and, by a web lock, across tabs: the server rotates the refresh token and takes a second use of an
 * old one for theft, which would sign everybody out.
 */

/** What a server writes in passing, as a sentence of its own. */
function sentence(text) {
  const trimmed = text.trim();
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** The server said no. `code` is stable, `detail` is for people. */
export class ApiError extends Error {
  constructor(status, problem, retryAfterSeconds) {
    super(sentence(problem.detail || problem.title || `The server answered ${status}`));
    this.name = 'ApiError';
    this.status = status;
    this.code = problem.code ?? '';
    this.field = problem.field ?? null;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** There was no answer: offline, server away, or cut on the way. Whether the request took effect is not known. */
export class NetworkError extends Error {
  constructor(cause) {
    super('The server cannot be reached.');
    this.name = 'NetworkError';
    this.cause = cause;
  }
}

const REQUEST_TIMEOUT_MS = 15_000;
/** Refresh this long before the end, so that a request does not die on its way. */
const EXPIRY_MARGIN_MS = 30_000;
const HINT_KEY = 'rialto.signed-in';

let accessToken = null;
let expiresAt = 0;
let refreshing = null;
let onSignedOut = () => {};

/** Called when the session has ended for good (revoked, expired, signed out everywhere). */
export function whenSignedOut(callback) {
  onSignedOut = callback;
}

/** Keeps what login, register and refresh answer. */
export function keepTokens(answer) {
  accessToken = answer.access_token;
  expiresAt = Date.now() + answer.expires_in * 1000;
  try {
    localStorage.setItem(HINT_KEY, '1');
  } catch {
    // Without storage the next load asks the server instead of the hint.
  }
}

export function dropTokens() {
  accessToken = null;
  expiresAt = 0;
  try {
    localStorage.removeItem(HINT_KEY);
  } catch {
    // Nothing was kept.
  }
}

/** Whether asking for a session at start makes sense; a stranger's first visit then costs no refused request. */
export function mayHaveSession() {
  try {
    return localStorage.getItem(HINT_KEY) === '1';
  } catch {
    return true;
  }
}

async function send(method, path, { body, signal, authorization, keepalive } = {}) {
  const headers = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (authorization) headers.authorization = authorization;
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      credentials: 'same-origin',
      cache: 'no-store',
      keepalive,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new NetworkError(error);
  }
  let answer = null;
  if (text) {
    try {
      answer = JSON.parse(text);
    } catch {
      if (response.ok) throw new NetworkError(new Error('not the answer of this server'));
    }
  }
  if (response.ok) return answer;
  const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  throw new ApiError(response.status, answer ?? {}, Number.isFinite(retryAfter) ? retryAfter : null);
}

function lockAcrossTabs(work) {
  return navigator.locks ? navigator.locks.request('rialto.refresh', work) : work();
}

/** Gets a new access token from the refresh cookie; answers what the server said of the user and tenant. */
export function refresh() {
  refreshing ??= lockAcrossTabs(() => send('POST', '/v1/auth/refresh', { body: {} }))
    .then((answer) => {
      keepTokens(answer);
      return answer;
    })
    .catch((error) => {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        const had = accessToken !== null;
        dropTokens();
        if (had) onSignedOut(error);
      }
      throw error;
    })
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

/** A token good for at least the margin. */
export async function freshToken({ force = false } = {}) {
  if (force || !accessToken || Date.now() > expiresAt - EXPIRY_MARGIN_MS) await refresh();
  return accessToken;
}

async function request(method, path, options = {}) {
  if (options.anonymous) return send(method, path, options);
  const used = await freshToken();
  try {
    return await send(method, path, { ...options, authorization: `Bearer ${used}` });
  } catch (error) {
    // A wrong password answers 401, too; only a refused token is worth a new one.
    if (!(error instanceof ApiError) || error.status !== 401 || error.code === 'wrong_credentials') throw error;
    const renewed = await freshToken({ force: used === accessToken });
    return send(method, path, { ...options, authorization: `Bearer ${renewed}` });
  }
}

function withQuery(path, query) {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return pairs.length ? `${path}?${new URLSearchParams(pairs)}` : path;
}

export const api = {
  get: (path, query, options) => request('GET', withQuery(path, query), options),
  post: (path, body = {}, options) => request('POST', path, { ...options, body }),
  put: (path, body, options) => request('PUT', path, { ...options, body }),
  patch: (path, body, options) => request('PATCH', path, { ...options, body }),
  delete: (path, body, options) => request('DELETE', path, { ...options, body }),
};

/** Reads a list page by page, up to a bound that no screen needs more than. */
export async function readAll(path, query = {}, maxPages = 10) {
  const items = [];
  let cursor;
  for (let page = 0; page < maxPages; page += 1) {
    const answer = await api.get(path, { limit: 100, ...query, cursor });
    items.push(...answer.items);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return items;
}

function waitWords(seconds) {
  if (seconds === null) return 'a moment';
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** What happened, in words for the person in front of the screen. */
export function explain(error) {
  if (error instanceof NetworkError) return 'The server cannot be reached. Check your connection and try again.';
  if (error instanceof ApiError) {
    if (error.code === 'plan_limit') return error.message;
    if (error.status === 429) return `Too many attempts. Try again in ${waitWords(error.retryAfterSeconds)}.`;
    if (error.status === 503) return 'The server is busy. Nothing was changed; try again in a moment.';
    if (error.status >= 500) return 'Something went wrong on the server. Nothing was changed; try again in a moment.';
    if (error.status === 404) return 'This does not exist, or you may not see it.';
    return error.message;
  }
  return 'Something went wrong. Reload the page and try again.';
}
