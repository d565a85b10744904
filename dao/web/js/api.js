/** Asks the API: JSON in and out, a time limit for every request, one sentence for every failure. */

import { hearTime } from "./clock.js";
import { capitalize } from "./format.js";
import { labelPaths } from "./forms/kinds.js";

const BASE = new URL("api/v1/", document.baseURI);
const LIMIT = 20_000; // ms

let csrf = null;
let oldestBlock = Infinity; // that an answer since beginReads() stands on

/**
 * A refusal of the API, or that it cannot be reached (status 0). `kind` is the problem's type, as
 * "relay-dry".
 */
export class Problem extends Error {
  constructor({ status = 0, title = "", detail = "", type = "", error = null } = {}, retryAfter = null) {
    super(writeSentence(detail || title || `the API answered with status ${status}`, error));
    this.status = status;
    this.kind = type.split(/[/:#]/).pop();
    this.retryAfter = retryAfter;
  }
}

function writeSentence(text, error) {
  return capitalize(labelPaths(error && !text.includes(error) ? `${text} (${error})` : text));
}

/** Returns the overview that came with the page, at the first call; null from then on, and where none came. */
export function takeFirst() {
  const element = document.getElementById("first");
  if (!element) return null;
  element.remove();
  return JSON.parse(element.textContent);
}

/** Counts an answer that came otherwise than by a request. */
export function countAnswer({ as_of: { block } }) {
  oldestBlock = Math.min(oldestBlock, block);
}

/** Begins to count which blocks answers stand on. */
export function beginReads() {
  oldestBlock = Infinity;
}

/** Returns the oldest block that an answer since beginReads() stands on. */
export function getOldestBlock() {
  return oldestBlock;
}

/** Sets the token that proves that a request comes from this page; null when signed out. */
export function setCsrf(token) {
  csrf = token;
}

/** Reads a resource, given its path below /api/v1/ and query values; null leaves a value out. */
export function get(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== null) url.searchParams.set(name, value);
  return request(url, { headers: { Accept: "application/json" } });
}

/** Sends a request with a body. */
export function post(path, body = {}) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  return request(new URL(path, BASE), { method: "POST", headers, body: JSON.stringify(body) });
}

/** Returns the address of the stream of events. */
export function getEventsUrl() {
  return new URL("events", BASE);
}

async function request(url, options) {
  let response;
  try {
    response = await fetch(url, { ...options, signal: AbortSignal.timeout(LIMIT) });
  } catch (error) {
    const isLate = error.name === "TimeoutError";
    throw new Problem({
      detail: isLate
        ? `the API did not answer within ${LIMIT / 1000} s; try again`
        : "the API cannot be reached; is it running?",
    });
  }
  hearTime(response.headers.get("Date"));
  const body = await readBody(response);
  if (body?.as_of) countAnswer(body);
  if (response.ok) return body;
  const problem = body && typeof body === "object" ? body : {};
  throw new Problem({ ...problem, status: response.status }, response.headers.get("Retry-After"));
}

async function readBody(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
