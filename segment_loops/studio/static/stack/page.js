/* The state of the page, and the one place that draws it. Nothing is asked of AWS but what a person asks for. */

import { call } from "/studio/js/api.js";
import { message } from "/studio/js/parts.js";
import { h } from "/studio/js/dom.js";

export const page = { stack: null, route: null };

let draw = () => {};
export const onDraw = (listener) => { draw = listener; };
export const redraw = () => draw();

/* An answer of the API that a view shows, or the problem in its place. */
export const slot = () => ({ busy: false, answer: null, problem: null, number: 0 });

/* Ask the API, and draw before and after. The answer to an older question is ignored. */
export async function fill(place, method, path, body) {
  const number = ++place.number;
  Object.assign(place, { busy: true, problem: null });
  redraw();
  try {
    const { ok, answer } = await call(method, path, body);
    if (number === place.number) Object.assign(place, ok ? { answer } : { answer: null, problem: answer.message });
    return ok ? answer : null;
  } finally {
    if (number === place.number) place.busy = false;
    redraw();
  }
}

/* Show the answer of a place, or that it is awaited, or what went wrong. */
export function shown(place, render) {
  if (place.problem) return message("bad", h("p", {}, place.problem));
  if (place.answer) return render(place.answer);
  return place.busy ? h("p", { class: "soft", role: "status" }, "Asking AWS…") : null;
}
