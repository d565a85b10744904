/** Asks the API: JSON in and out, every request with a limit, every failure as one sentence. */

import { heardTime } from "./clock.js";
import { capital } from "./format.js";
import { labelled } from "./kinds.js";

const BASE = new URL("api/v1/", document.baseURI);
const LIMIT = 20_000; // ms

let csrf = null;

/** What the API refused, or that it cannot be reached (status 0). `kind` is the problem's type, as "relay-dry". */
export class Problem extends Error {
  constructor({ status = 0, title = "", detail = "", type = "", error = null } = {}, retry = null) {
    super(sentence(detail || title || `the API answered with status ${status}`, error));
    this.status = status;
    this.kind = type.split(/[/:#]/).pop();
    this.retryAfter = retry;
  }
}

function sentence(text, error) {
  return capital(labelled(error && !text.includes(error) ? `${text} (${error})` : text));
}

/** The token that proves that a request comes from this page; null when signed out. */
export function useCsrf(token) {
  csrf = token;
}

/** Reads a resource, given its path below /api/v1/ and query values. */
export function get(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== null) url.searchParams.set(name, value);
  return ask(url, { headers: { Accept: "application/json" } });
}

/** Sends a request with a body. */
export function post(path, body = {}) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  return ask(new URL(path, BASE), { method: "POST", headers, body: JSON.stringify(body) });
}

/** The address of the stream of events. */
export function eventsUrl() {
  return new URL("events", BASE);
}

async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, { ...options, signal: AbortSignal.timeout(LIMIT) });
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Problem({
      detail: late
        ? `the API did not answer within ${LIMIT / 1000} s; try again`
        : "the API cannot be reached; is it running?",
    });
  }
  heardTime(response.headers.get("Date"));
  const body = await bodyOf(response);
  if (response.ok) return body;
  const problem = body && typeof body === "object" ? body : {};
  throw new Problem({ ...problem, status: response.status }, response.headers.get("Retry-After"));
}

async function bodyOf(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
