/* Calls of the studio's API. */

const API = "/studio/api";

/* The studio does not answer. A banner says so, so callers need not. */
export class Lost extends Error {}

/* The studio answers that it cannot do or show this; the message says why. */
export class Failed extends Error {}

const listeners = new Set();
export const onConnection = (listener) => listeners.add(listener);
const connected = (isConnected) => listeners.forEach((listener) => listener(isConnected));

export async function call(method, path, body) {
  const options = { method };
  if (body !== undefined || method !== "GET") {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body ?? {});
  }
  let result;
  try {
    const response = await fetch(API + path, options);
    result = { ok: response.ok, status: response.status, answer: await response.json() };
  } catch {
    connected(false);
    throw new Lost();
  }
  connected(true);
  return result;
}

export async function get(path) {
  const { ok, answer } = await call("GET", path);
  if (!ok) throw new Failed(answer.message);
  return answer;
}

/* Return the path with the parts of a query that have a value. */
export function withQuery(path, query) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined)).toString();
  return text ? `${path}?${text}` : path;
}
