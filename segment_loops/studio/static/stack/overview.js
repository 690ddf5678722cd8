/* Overview: the outcomes of deliveries, the queues and the alarms. */

import { h } from "/studio/js/dom.js";
import { timeElement } from "/studio/js/format.js";
import { inOrder, kindOf, OUTCOMES } from "/studio/js/outcomes.js";
import { empty, header, soft, tag } from "/studio/js/parts.js";
import { fill, shown, slot } from "./page.js";
import { periodField, since } from "./periods.js";

const counts = slot();
const queues = slot();
const alarms = slot();

const STATES = { ALARM: ["alarm", "bad"], OK: ["ok", "good"], INSUFFICIENT_DATA: ["no data yet", "plain"] };

export const overview = {
  title: "Overview",
  depends: (query) => String(since(query)),
  enter(query) {
    fill(counts, "GET", `/counts?since=${since(query)}`);
    fill(queues, "GET", "/queue-counts");
    fill(alarms, "GET", "/alarms");
  },
  render(query) {
    return [
      header("Overview", "Counts cover whole hours. Reading metrics and alarms costs next to nothing."),
      h("div", { class: "ask-log" }, periodField(query), h("button", { type: "button", onclick: () => overview.enter(query) }, "Refresh")),
      h("div", { class: "cards" },
        card("Alarms", shown(alarms, (answer) => alarmList(answer.alarms))),
        card("Deliveries", shown(counts, (answer) => [
          figures(deliveryCounts(answer.counts)),
          h("p", { class: "cut" }, h("a", { href: "#/deliveries" }, "Search the log")),
        ])),
        h("div", { class: "column" },
          card("DeadLetterQueue", shown(queues, (answer) => [
            queue(answer.deadLetterQueue, "being read"),
            h("p", { class: "cut" }, h("a", { href: "#/dead-letters" }, "Read dead letters")),
          ])),
          card("RetryQueue", shown(queues, (answer) => queue(answer.retryQueue, "being tried or backing off"))))),
    ];
  },
};

const card = (title, content) => h("section", { class: "card", "aria-label": title }, h("div", { class: "card-head" }, h("h2", {}, title)), content);

/* The words of a metric's name: "not stored" for NotStored. */
const words = (name) => name.split(/(?=[A-Z])/).join(" ").toLowerCase().replace("api key", "API key");

/* The outcomes, and whatever else was counted. */
function deliveryCounts(counts) {
  const values = Object.fromEntries(Object.entries(counts).map(([name, value]) => [words(name), value]));
  return inOrder(Object.keys(values)).filter((label) => values[label] || label in OUTCOMES).map((label) => [label, values[label]]);
}

const figures = (rows) => h("dl", { class: "figures" }, rows.map(([label, value]) => h("div", { class: value ? "" : "zero" },
  h("dt", {}, kindOf(label) === "plain" || !value ? label : tag(label)), h("dd", {}, value.toLocaleString("en")))));

const queue = (each, hidden) => figures([["ready", each.ready], [hidden, each.hidden], ["delayed", each.delayed]]);

function alarmList(list) {
  if (list.length === 0) return empty("No alarms.", "The stack's alarms are created by its deployment.");
  return h("ul", { class: "alarms" }, list.map((each) => {
    const [label, kind] = STATES[each.state] ?? [each.state, "plain"];
    return h("li", { "data-key": each.name }, h("p", {}, tag(label, kind), " ", h("strong", {}, each.name), " ", soft("since ", timeElement(each.since))),
      each.state === "ALARM" ? h("p", { class: "soft" }, each.description) : null);
  }));
}
