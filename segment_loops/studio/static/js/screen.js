/* The current view: the only place that fetches and renders.

   A view has `title(route, data)`, `render(data, route)` and, if it shows data of the stack, `load(route)` with
   `uses(route)`: the names of the versions that its data depends on. `enter(route)` runs when somebody goes to it.
   With `isOnePage`, another id in the address shows another part of the same page. */

import { Failed, get } from "./api.js";
import { byId, h, patch } from "./dom.js";
import { sentence, setTime, tick } from "./format.js";
import { drawFrame } from "./frame.js";
import { parse, restoreScroll } from "./router.js";

export const screen = { status: null, route: parse(location.hash), view: null, data: null };

let views = {};
let seen = "";
let loading = 0;

export function setViews(all) {
  views = all;
}

/* Show the view of the current address. */
export async function showRoute() {
  const route = parse(location.hash);
  const view = views[route.name] ?? views.mappings;
  const isNew = view !== screen.view || (!view.isOnePage && route.id !== screen.route.id);
  Object.assign(screen, { route, view });
  if (isNew) {
    screen.data = null;
    view.enter?.(route);
    patch(byId("main"), []);
    byId("main").focus({ preventScroll: true });
  }
  redraw();
  await reload();
  restoreScroll();
}

/* Fetch the data of the view, then render it. */
export async function reload() {
  const number = ++loading;
  const { view, route } = screen;
  byId("main").setAttribute("aria-busy", "true");
  if (!screen.status) await fetchStatus();
  const versions = seenBy(view);
  const data = await loaded(view, route);
  if (number !== loading) return;
  seen = versions;
  screen.data = data;
  redraw();
  byId("main").setAttribute("aria-busy", "false");
}

/* Return the data of the view, or the error that the studio answered instead. */
async function loaded(view, route) {
  try {
    return view.load ? await view.load(route) : {};
  } catch (error) {
    if (error instanceof Failed) return error;
    throw error;
  }
}

/* Render the view with the data that it has. */
export function redraw() {
  const { view, data, route, status } = screen;
  if (!view || !status) return;
  drawFrame(status, view, route);
  document.title = `${view.title(route, data)} · Studio`;
  if (data instanceof Failed) patch(byId("main"), failure(view.title(route, null), data.message));
  else if (data !== null) patch(byId("main"), view.render(data, route));
  tick();
}

const failure = (title, words) => [
  h("div", { class: "head" }, h("h1", {}, title)),
  h("div", { class: "message bad" }, h("p", {}, sentence(words))),
];

/* Fetch the versions, and load the view again if one that it uses has changed. */
export async function poll() {
  await fetchStatus();
  if (seenBy(screen.view) !== seen) await reload();
  else redrawFrame();
}

function redrawFrame() {
  drawFrame(screen.status, screen.view, screen.route);
  tick();
}

async function fetchStatus() {
  screen.status = await get("/status");
  setTime(screen.status.time);
}

const seenBy = (view) => (view.uses?.(screen.route) ?? []).map((name) => screen.status.versions[name]).join("|");
