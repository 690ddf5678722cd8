/* The state of the page, and the only place that draws it. AWS is asked only when a person asks. */

import { call } from "/studio/js/api.js";
import { message } from "/studio/js/parts.js";
import { h } from "/studio/js/dom.js";

export const page = { stack: null, route: null };

let draw = () => {};
export const onDraw = (listener) => { draw = listener; };
export const redraw = () => draw();

/* A slot of a view: an answer of the API, or the problem that came instead. */
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

/* Show the answer in a slot, the problem, or that the answer is awaited. */
export function shown(place, render) {
  if (place.problem) return message("bad", h("p", {}, place.problem));
  if (place.answer) return render(place.answer);
  return place.busy ? h("p", { class: "soft", role: "status" }, "Asking AWS…") : null;
}
