/* A dialog with content that changes while it is open. */

import { byId, h, patch } from "./dom.js";

let draw = null;

/* Open the dialog; `render(close)` returns its content, and runs again with `redrawSheet`. */
export function openSheet(title, render) {
  const dialog = byId("sheet");
  draw = () => patch(dialog, [
    h("div", { class: "card-head" }, h("h2", { id: "sheet-title" }, title),
      h("button", { type: "button", class: "small", onclick: closeSheet }, "Close")),
    h("div", { class: "sheet-body" }, render()),
  ]);
  draw();
  dialog.showModal();
}

export function redrawSheet() {
  if (byId("sheet").open) draw();
}

export function closeSheet() {
  byId("sheet").close();
}
