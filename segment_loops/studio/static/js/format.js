/* Times and texts. Times are by the stack's clock, which may differ from this machine's. */

import { h } from "./dom.js";

let ahead = 0; // of this machine's clock, in seconds

export function setTime(seconds) {
  ahead = seconds - Date.now() / 1000;
}

export const now = () => Date.now() / 1000 + ahead;

export const clockTime = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
export const dateTime = (seconds) => `${new Date(seconds * 1000).toLocaleDateString("en-CA")} ${clockTime(seconds)}`;

/* A time of day, with the date where it is not today's. */
export function timeElement(seconds) {
  const isToday = new Date(seconds * 1000).toDateString() === new Date(now() * 1000).toDateString();
  return h("time", { title: dateTime(seconds), datetime: new Date(seconds * 1000).toISOString() }, isToday ? clockTime(seconds) : dateTime(seconds));
}

function span(seconds) {
  const s = Math.max(Math.round(seconds), 0);
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 129600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}

const until = (seconds) => (seconds <= now() ? "now" : `in ${span(seconds - now())}`);
export const countdown = (seconds) => h("span", { "data-next": seconds }, until(seconds));

export function tick() {
  for (const each of document.querySelectorAll("[data-next]")) {
    const words = until(Number(each.dataset.next));
    if (each.textContent !== words) each.textContent = words;
  }
}

export const pretty = (value) => JSON.stringify(value, null, 2);
export const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/* Join parts into a sentence that ends with one full stop. */
export function sentence(...parts) {
  const words = parts.filter(Boolean).join(": ").trim();
  return !words || /[.!?…]$/.test(words) ? words : `${words}.`;
}
