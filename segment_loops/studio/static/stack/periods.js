/* The periods that a person can choose; the chosen one is in the address. */

import { h } from "/studio/js/dom.js";
import { go, here } from "/studio/js/router.js";

const PERIODS = [[3600, "the last hour"], [21600, "the last 6 hours"], [86400, "the last 24 hours"], [604800, "the last 7 days"], [2592000, "the last 30 days"]];

/* Return the seconds of the chosen period. */
export const since = (query) => (PERIODS.find(([seconds]) => String(seconds) === query.since) ?? PERIODS[2])[0];

export function periodField(query) {
  return h("div", { class: "field" }, h("label", { for: "since" }, "Period"),
    h("select", { id: "since", "data-key": "since", value: String(since(query)), onchange: (event) => go(here({ since: event.target.value })) },
      PERIODS.map(([seconds, label]) => h("option", { value: String(seconds) }, label))));
}
