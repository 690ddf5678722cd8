/* Contacts: those in Loops, as far as the stack knows them. */

import { get, withQuery } from "../api.js";
import { h } from "../dom.js";
import { timeElement } from "../format.js";
import { empty, header, members, pager, search, soft, table, tag } from "../parts.js";
import { href } from "../router.js";

export const contacts = {
  title: () => "Contacts",
  uses: () => ["contacts"],
  load: ({ query }) => get(withQuery("/contacts", { q: query.q, page: query.page })),

  render(data, { query }) {
    if (!data.available) return [header("Contacts"), empty("Contacts are not available here.", "Open the audience in Loops.")];
    return [
      header("Contacts", "Contacts in the sandbox, newest first."),
      h("div", { class: "filters" }, search("Search contacts", query.q ?? "")),
      data.contacts.length ? [rows(data.contacts), pager(data, "contact")]
        : query.q ? empty("No contact matches.", h("a", { href: "#/contacts" }, "Clear the search"))
        : empty("No contacts yet.", h("a", { href: "#/mappings" }, "Send an identify event"), " to create one."),
    ];
  },
};

const rows = (list) => table("Contacts", [["Email", "main-cell"], ["userId", "id"], ["Properties"], ["Mailing lists"], ["Subscribed"], ["Updated", "tight"]], list.map((each) => ({
  key: `contact-${each.id}`,
  cells: [
    h("a", { href: href("contact", each.id) }, each.email),
    each.userId ?? soft("none"), members(each.properties, `properties-${each.id}`) ?? soft("none"), each.lists.join(", ") || soft("none"),
    each.subscribed ? "Yes" : tag("No", "bad"), timeElement(each.updated),
  ],
})));
