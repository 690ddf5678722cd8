/* One contact: its values in Loops, each with the time and the event from which the contact ledger knows it. */

import { call } from "../api.js";
import { h } from "../dom.js";
import { text, timeElement } from "../format.js";
import { code, empty, header, message, soft, table, tag } from "../parts.js";
import { href } from "../router.js";

export const contactPage = {
  under: "contacts",
  title: (route, data) => (data?.ok ? data.contact.email : "Contact"),
  uses: () => ["contacts"],

  async load({ id }) {
    const { ok, answer } = await call("GET", `/contacts/${encodeURIComponent(id)}`);
    return { ok, ...answer };
  },

  render({ ok, contact, known, message: problem }) {
    const back = h("p", { class: "crumb" }, h("a", { href: "#/contacts" }, "Contacts"));
    if (!ok) return [back, header("Contact"), empty(problem, h("a", { href: "#/contacts" }, "All contacts"))];
    return [
      back,
      header(contact.email, contact.userId ? `userId ${contact.userId}` : "No userId",
        h("a", { class: "button", href: href("deliveries", "", { q: contact.email }) }, "Show deliveries")),
      states(contact, known),
      properties(valuesOf(contact), new Map((known?.properties ?? []).map((each) => [each.name, each]))),
      known ? null : h("p", { class: "hint" }, "The contact ledger knows nothing about this contact."),
    ];
  },
};

const seconds = (stamp) => Date.parse(stamp) / 1000;

function states(contact, known) {
  const words = [];
  if (contact.suppressed) words.push("Loops sends nothing to this address: mail bounced or was reported as spam.");
  if (known?.leasedUntil && seconds(known.leasedUntil) > Date.now() / 1000) words.push("A call about this contact is under way.");
  if (known?.updateWaitsSince) words.push("An update waits for its turn; older ones wait behind it.");
  if (known?.deletionSince) words.push("A deletion is under way.");
  if (known && !known.isTracked) words.push("The contact has too many properties for the ledger, so updates are sent in full.");
  return words.map((each) => message("wait", h("p", {}, each)));
}

/* The values of a contact by the names that the ledger uses. */
function valuesOf(contact) {
  const lists = [...contact.lists.map((id) => [id, true]), ...contact.left.map((id) => [id, false])];
  return new Map([
    ["email", contact.email], ["subscribed", contact.subscribed], ...Object.entries(contact.properties),
    ...lists.map(([id, member]) => [`mailingLists.${id}`, member]),
  ]);
}

function properties(values, known) {
  const names = [...new Set([...values.keys(), ...known.keys()])];
  return table("Properties", [["Property", "main-cell"], ["Value"], ["Event time", "tight"], ["Event"], ["Subscription"]], names.map((name) => {
    const fact = known.get(name);
    return {
      key: `property-${name}`,
      cells: [
        code(name),
        values.has(name) && values.get(name) !== null ? text(values.get(name)) : soft("none"),
        fact ? [timeElement(seconds(fact.eventTime)), fact.confirmedAt ? null : [" ", tag("unconfirmed", "wait")]] : soft("unknown"),
        fact ? h("a", { href: href("event", fact.messageId) }, fact.messageId) : soft("unknown"),
        fact ? fact.subscription : soft("unknown"),
      ],
    };
  }));
}
