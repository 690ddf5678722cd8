/* The frame around every view: the navigation with its counts, and the banners. */

import { call, onConnection } from "./api.js";
import { byId, h, patch } from "./dom.js";
import { inWords } from "./faults.js";

/* The name in the address, the name of the view, and what the navigation shows if that differs. */
const VIEWS = [
  ["mappings", "Mappings"],
  ["deliveries", "Deliveries"],
  ["queues", "Queues"],
  ["contacts", "Contacts"],
  ["events", "Loops events", [h("span", { class: "wide" }, "Loops "), "events"]],
];

let stopFaults = () => {};
export const onStopFaults = (action) => { stopFaults = action; };

export function drawFrame(status, view, route) {
  patch(byId("views"), VIEWS.map(([name, label, words = label]) => {
    const badge = name === "queues" && status.deadLetters ? status.deadLetters : null;
    const spoken = badge ? `${label}, ${badge} dead ${badge === 1 ? "letter" : "letters"}` : label;
    return h("a", { href: `#/${name}`, "data-key": name, "aria-label": spoken, "aria-current": (view.under ?? route.name) === name ? "page" : null },
      h("span", { class: "view-name" }, words), badge ? h("span", { class: "badge" }, badge > 999 ? "999+" : String(badge)) : null);
  }));
  patch(byId("where"), [
    h("span", { class: "where-label" }, "Loops"),
    h("span", { class: status.sandboxed ? "where-name" : "where-name real" }, status.sandboxed ? "Sandbox" : `Production: ${status.loopsUrl}`),
  ]);
  const faults = [...status.faults.map(inWords), ...(status.sqsIsDown ? ["SQS is down"] : [])];
  patch(byId("simulated"), faults.length === 0 ? [] : h("div", { class: "banner wait" },
    h("p", {}, h("strong", {}, "Simulated: "), `${faults.join("; ")}.`),
    h("button", { type: "button", class: "small", onclick: async () => { await call("DELETE", "/faults"); await stopFaults(); } }, "Stop simulating")));
}

onConnection((isConnected) => { byId("lost").hidden = isConnected; });
