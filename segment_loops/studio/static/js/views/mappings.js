/* Mappings: the subscriptions, a sample event, and its result.

   The address may name a subscription, the event of a delivery (`event`) or of a message (`message`), the `field` to show,
   and the dead letter (`letter`) that somebody came to fix. */

import { call } from "../api.js";
import { announce } from "../dialog.js";
import { byId, h } from "../dom.js";
import { sentence } from "../format.js";
import { currentForm } from "../form/model.js";
import { reviewChanges } from "../mapping/changes.js";
import { editor, subscriptions } from "../mapping/editor.js";
import { goToLine } from "../mapping/code-editor.js";
import { result } from "../mapping/result.js";
import { readReceived, sample } from "../mapping/sample.js";
import { check, discardEdits, draft, hasErrors, isDirty, keepEdits, readFile, save, saveNote, useEvent, work } from "../mapping/work.js";
import { header, message } from "../parts.js";
import { redrive, redriveResult } from "../redrive.js";
import { href } from "../router.js";
import { reload, screen } from "../screen.js";

let taken = ""; // the address whose event and field are shown

addEventListener("beforeunload", (event) => { if (work.ready && isDirty()) event.preventDefault(); });

export const mappings = {
  title: () => "Mappings",
  isOnePage: true,
  uses: (route) => (route.query.letter ? ["mappings", "queues", "deliveries"] : ["mappings"]),
  enter: () => { taken = ""; },

  async load(route) {
    await Promise.all([readFile(), readReceived()]);
    const index = work.drafts.findIndex((each) => each.key === route.id);
    if (index >= 0) work.selected = index;
    const { event, message: messageId, field, letter } = route.query;
    const address = JSON.stringify([event, messageId, field, letter]);
    const timeline = event || messageId ? await timelineOf(event, messageId) : null;
    work.fixing = letter ? fixing(timeline, letter) : null;
    if (address !== taken && timeline?.event) useEvent(timeline.event, event ? `Delivery ${event}` : messageId);
    if (!work.problem) await check();
    if (address !== taken && field) setTimeout(() => showField(field)); // once it is rendered
    taken = address;
    return {};
  },

  render() {
    if (work.problem) return [header("Mappings", work.file), message("bad", `Correct the file in an editor first:\n${work.problem}`)];
    const dirty = isDirty();
    return [
      header("Mappings", work.file,
        h("span", { class: "note", id: "save-note" }, saveNote()),
        h("button", { type: "button", disabled: !dirty, onclick: discardEdits }, "Discard changes"),
        h("button", { type: "button", disabled: !dirty || hasErrors(), onclick: reviewChanges }, "Review changes"),
        h("button", { type: "button", class: "primary", id: "save", title: "Ctrl+S or ⌘S", disabled: !dirty || hasErrors() || work.conflict, onclick: save }, "Save")),
      work.conflict ? message("wait",
        h("p", {}, "Another program has changed the file since you opened it."),
        h("div", { class: "actions start" },
          h("button", { type: "button", class: "primary", onclick: keepEdits }, "Keep my edits"),
          h("button", { type: "button", onclick: discardEdits }, "Discard my edits"))) : null,
      work.fixing ? fixNotice() : null,
      h("div", { class: "columns mapping", id: "workbench" },
        h("div", { class: "column" }, subscriptions(), editor()),
        h("div", { class: "column" }, sample(), result())),
    ];
  },
};

/* Return the timeline of an event, or null if nothing is remembered about it. */
async function timelineOf(event, messageId) {
  const path = event ? `/timeline/delivery/${encodeURIComponent(event)}` : `/timeline/message/${encodeURIComponent(messageId)}`;
  const { ok, answer } = await call("GET", path);
  return ok ? answer : null;
}

function fixing(timeline, id) {
  const redrives = (timeline?.redrives ?? []).filter((each) => each.deadLetter === id);
  return { letter: timeline?.deadLetters?.find((each) => each.id === id) ?? null, redrive: redrives.at(-1) ?? null };
}

/* The way from a dead letter to its delivery: correct the mapping, save, redrive, and see the result. */
function fixNotice() {
  const { letter, redrive: done, error } = work.fixing;
  const preview = work.previews[work.drafts.findIndex((each) => each.id === letter?.subscription)];
  if (done) {
    return message("plain", h("p", {}, redriveResult(done)),
      done.delivery ? h("p", {}, h("a", { href: href("delivery", done.delivery) }, "Open delivery")) : null);
  }
  if (!letter) return message("plain", h("p", {}, "This dead letter is no longer on the queue."));
  const isFixed = Boolean(preview?.request);
  return message(isFixed ? "good" : "bad",
    h("p", {}, sentence(`Dead letter of “${letter.name ?? letter.subscription ?? "unknown subscription"}”`, [letter.reason, letter.detail].filter(Boolean).join(", "))),
    error ? h("p", {}, error) : null,
    h("p", {}, isFixed ? "With this mapping the event can be sent." : "Correct the mapping below. The sample is the event of the dead letter."),
    h("div", { class: "actions start" },
      h("button", { type: "button", class: "primary", id: "fix", disabled: !isFixed || work.problems.length > 0, onclick: saveAndRedrive }, isDirty() ? "Save and redrive" : "Redrive")));
}

async function saveAndRedrive() {
  const { letter } = work.fixing;
  if (isDirty() && !(await save())) return;
  await redrive([letter]);
  await reload();
}

function showField(field) {
  const place = currentForm()?.form?.rows.findIndex((row) => row.name === field) ?? -1;
  const row = byId(`row-${place}-kind`);
  if (row) {
    row.focus();
    row.scrollIntoView({ block: "center" });
  } else if (byId("mapping")) {
    const lines = (draft()?.mapping ?? "").split("\n");
    const index = lines.findIndex((each) => each.trimStart().startsWith(`"${field}"`));
    goToLine("mapping", Math.max(index, 0) + 1);
  }
}

// Instead of the browser's own dialog, which saves the page.
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "s" || screen.route.name !== "mappings") return;
  event.preventDefault();
  if (document.querySelector("dialog[open]")) return;
  if (isDirty() && !hasErrors() && !work.conflict) save();
  else announce(isDirty() ? "Correct the errors before saving." : "No changes to save.");
});
