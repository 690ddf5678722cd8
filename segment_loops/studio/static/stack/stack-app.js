/* The start of the page: its views and its address. */

import { get, Lost, onConnection } from "/studio/js/api.js";
import { byId, h, patch } from "/studio/js/dom.js";
import { setTime } from "/studio/js/format.js";
import { go, parse, start } from "/studio/js/router.js";
import { contactView } from "./contact.js";
import { deadLetters } from "./dead-letters.js";
import { deliveries } from "./stack-deliveries.js";
import { mappingsView } from "./stack-mappings.js";
import { overview } from "./overview.js";
import { onDraw, page } from "./page.js";

const VIEWS = { overview, deliveries, "dead-letters": deadLetters, contact: contactView, mappings: mappingsView };

let entered = null;

function draw() {
  const { name, query } = page.route;
  const view = VIEWS[name];
  patch(byId("views"), Object.entries(VIEWS).map(([key, each]) => h("a", { href: `#/${key}`, "data-key": key, "aria-current": key === name ? "page" : null }, h("span", { class: "view-name" }, each.title))));
  document.title = `${view.title} · ${page.stack.name}`;
  patch(byId("main"), view.render(query));
}

function showRoute() {
  const route = parse(location.hash);
  if (!(route.name in VIEWS) || location.hash === "") {
    go("#/overview", { replace: true });
    return;
  }
  const isNew = route.name !== page.route?.name;
  page.route = route;
  const depends = `${route.name} ${VIEWS[route.name].depends(route.query)}`;
  draw();
  if (isNew) byId("main").focus({ preventScroll: true });
  if (depends !== entered) {
    entered = depends;
    VIEWS[route.name].enter(route.query);
  }
}

onConnection((isConnected) => { byId("lost").hidden = isConnected; });
// The banner says that the studio does not answer.
addEventListener("unhandledrejection", (event) => { if (event.reason instanceof Lost) event.preventDefault(); });

// The address of the page holds its state, so this link must not change it.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
  byId("main").scrollIntoView();
});

page.stack = await get("/stack");
setTime(page.stack.time);
patch(byId("where"), [h("span", { class: "where-label" }, "Stack"), h("span", { class: "where-name real" }, page.stack.name), h("span", { class: "where-label" }, `delivers to ${page.stack.loopsUrl}`)]);
onDraw(draw);
start(showRoute);
showRoute();
