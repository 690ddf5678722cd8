/* The changes that saving would make, as a difference to the file. */

import { call } from "../api.js";
import { h } from "../dom.js";
import { syncForms } from "../form/model.js";
import { closeSheet, openSheet } from "../sheet.js";
import { forApi, hasErrors, save, work } from "./work.js";

export async function reviewChanges() {
  await syncForms();
  const { ok, answer } = await call("POST", "/difference", { drafts: work.drafts.map(forApi) });
  const lines = ok ? answer.lines : [];
  openSheet("Unsaved changes", () => [
    lines.length ? difference(lines) : h("p", {}, ok ? "The file would stay as it is." : answer.message),
    h("div", { class: "actions" }, h("button", {
      type: "button", class: "primary", disabled: !lines.length || hasErrors() || work.conflict,
      onclick: async () => { closeSheet(); await save(); },
    }, "Save changes")),
  ]);
}

const KINDS = { "+": ["added", "Added: "], "-": ["removed", "Removed: "], "@": ["place", ""] };

function difference(lines) {
  return h("pre", { class: "difference", tabindex: 0, role: "region", "aria-label": "Difference to the file" }, lines.slice(2).map((line) => {
    const [kind, words] = KINDS[line[0]] ?? ["same", ""];
    return h("span", { class: kind }, words ? h("span", { class: "unseen" }, words) : null, `${kind === "place" ? "⋯" : line}\n`);
  }));
}
