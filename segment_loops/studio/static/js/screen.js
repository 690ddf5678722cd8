/* The present view: the one place that fetches and renders.

   A view has `title(route, data)`, `render(data, route)` and, if it shows anything of the stack, `load(route)` with
   `uses(route)`: the names of the versions after whose change it is loaded again. `enter(route)` runs when somebody goes to it.
   With `isOnePage`, another id in the address shows another part of the same page. */

import { get } from "./api.js";
import { byId, patch } from "./dom.js";
import { setTime, tick } from "./format.js";
import { drawFrame } from "./frame.js";
import { parse, restoreScroll } from "./router.js";

export const screen = { status: null, route: parse(location.hash), view: null, data: null };

let views = {};
let seen = "";
let loading = 0;

export function setViews(all) {
  views = all;
}

/* Show the view of the present address. */
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
  const data = view.load ? await view.load(route) : null;
  if (number !== loading) return;
  seen = versions;
  screen.data = data;
  redraw();
  byId("main").setAttribute("aria-busy", "false");
}

/* Render the view with the data that it has. */
export function redraw() {
  const { view, data, route, status } = screen;
  if (!view || !status) return;
  drawFrame(status, view, route);
  const title = view.title(route, data);
  document.title = `${title} · Studio`;
  if (data !== null || !view.load) patch(byId("main"), view.render(data, route));
  tick();
}

/* Ask what has changed, and load the view again if it shows any of that. */
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
