/* Contact: what the ledger knows about one, found by a userId that a person types. */

import { announce, ask } from "/studio/js/dialog.js";
import { h } from "/studio/js/dom.js";
import { count, sentence, timeElement } from "/studio/js/format.js";
import { code, empty, header, message, soft, table, tag } from "/studio/js/parts.js";
import { fill, page, shown, slot } from "./page.js";

const contact = slot();
const change = slot();
let userId = "";
let asked = "";
let notice = null;

export const contactView = {
  title: "Contact",
  depends: () => "",
  enter() { notice = null; },
  render() {
    return [
      header("Contact", "What Loops was last sent: names and times. The ledger holds no values, and finds a contact by its userId only."),
      h("form", { class: "ask-log", onsubmit: (event) => { event.preventDefault(); notice = null; show(); } },
        h("div", { class: "field id" }, h("label", { for: "user-id" }, "userId"),
          h("input", { id: "user-id", value: userId, required: true, autocomplete: "off", spellcheck: "false", oninput: (event) => { userId = event.target.value; } })),
        h("button", { type: "submit", class: "primary", disabled: contact.busy }, "Show")),
      change.problem ? message("bad", h("p", {}, change.problem)) : notice ? message("good", h("p", {}, notice)) : null,
      shown(contact, (answer) => (answer.contact ? known(answer.contact)
        : empty("The ledger does not know this userId.", "Nothing was sent for it in the last 400 days. Check the userId; its case matters."))),
    ];
  },
};

async function show() {
  asked = userId;
  await fill(contact, "POST", "/contact", { userId: asked });
}

function known(found) {
  const names = found.properties.filter((each) => !each.isConsent);
  const facts = [["Deleted: older events are superseded since", found.deletedAt], ["A deletion has been under way since", found.deletionSince], ["An update has waited for its turn since", found.updateWaitsSince], ["Leased for a call until", found.leasedUntil]];
  return [
    facts.filter(([, time]) => time).map(([words, time]) => message("wait", h("p", {}, words, " ", time_(time)))),
    found.isTracked ? null : message("wait", h("p", {}, "This contact is not tracked: its item would be too large, so updates are sent in full.")),
    found.properties.length === 0 ? empty("No property is known.", "The next identify sends all of its values.") : [
      table("Properties", [["Property", "main-cell"], ["Event time", "tight"], ["Loops has it since", "tight"], ["Subscription"], ["messageId", "id"]], found.properties.map((each) => ({
        key: each.name,
        cells: [
          [code(each.name), each.isConsent ? [" ", tag("consent", "plain")] : null], time_(each.eventTime),
          each.confirmedAt ? time_(each.confirmedAt) : tag("not confirmed", "wait"), each.subscription || soft("none"), each.messageId,
        ],
      }))),
      h("div", { class: "actions start" },
        names.length ? h("button", { type: "button", disabled: change.busy, onclick: () => forget(names.length, false) }, "Forget properties") : null,
        names.length < found.properties.length ? h("button", { type: "button", class: "danger", disabled: change.busy, onclick: () => forget(found.properties.length, true) }, "Forget consent too") : null),
    ],
  ];
}

const time_ = (stamp) => timeElement(Date.parse(stamp) / 1000);

async function forget(number, consent) {
  const { name } = page.stack;
  const words = consent ? "The next identify sends the consent entries too, which can re-subscribe a person who has unsubscribed in Loops."
    : "The next identify sends all of its values. Consent entries stay.";
  if (!(await ask(`Forget ${count(number, "property", "properties")} of this contact in the stack ${name}?`, words, `Forget in ${name}`, { danger: consent }))) return;
  const answer = await fill(change, "POST", "/contact/forget", { stack: name, userId: asked, consent });
  if (!answer) return;
  notice = sentence(`${count(answer.forgotten.length, "property", "properties")} forgotten`);
  announce(notice);
  await show();
}
