/* Loops events: those that Loops processed, each of which may start emails. */

import { get, withQuery } from "../api.js";
import { h } from "../dom.js";
import { timeElement } from "../format.js";
import { empty, header, members, pager, search, soft, table, tag } from "../parts.js";
import { href } from "../router.js";

export const events = {
  title: () => "Loops events",
  uses: () => ["contacts"],
  load: ({ query }) => get(withQuery("/events", { q: query.q, page: query.page })),

  render(data, { query }) {
    if (!data.available) return [header("Loops events"), empty("Events are not available here.", "Open the contact in Loops.")];
    return [
      header("Loops events", "Events that the sandbox processed, newest first. Each may start emails."),
      h("div", { class: "filters" }, search("Search events", query.q ?? "")),
      data.events.length ? [rows(data.events), pager(data, "event")]
        : query.q ? empty("No event matches.", h("a", { href: "#/events" }, "Clear the search"))
        : empty("No events yet.", h("a", { href: "#/mappings" }, "Send a track event"), " to see one."),
    ];
  },
};

const rows = (list) => table("Loops events", [["Event", "main-cell"], ["Contact", "who"], ["Properties"], ["Repeats"], ["Time", "tight"]], list.map((each, index) => ({
  key: `event-${each.idempotencyKey ?? index}-${each.occurrence}`,
  cells: [
    each.delivery ? h("a", { href: href("delivery", each.delivery) }, each.name) : each.name,
    h("a", { href: href("contacts", "", { q: each.email }) }, each.email),
    members(each.properties, `event-properties-${each.idempotencyKey}-${each.occurrence}`) ?? soft("none"),
    each.occurrence > 1 ? tag(`Sent ${each.occurrence} times`, "bad") : soft("none"), timeElement(each.time),
  ],
})));
