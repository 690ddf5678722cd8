/* Suggestions under a text field or an editor: arrows choose, Enter inserts, Escape closes. */

import { byId, h } from "../dom.js";
import { redraw } from "../screen.js";

const MAX_SHOWN = 50;
const MAX_IN_EDITOR = 13; // the number of directives: this list does not scroll

let open = null; // { id, items, active, start, end }

/* Return the attributes and the list of suggestions of a text field.

   `find(text, caret)` returns { items, start, end }: the suggestions, and the part of the text that one replaces. An item is
   { label, detail, insert }. `onpick(text)` gets the whole new text. */
export function completion(id, { find, onpick, isInEditor = false }) {
  const isOpen = open?.id === id && open.items.length > 0;
  const listId = `${id}-suggestions`;
  const attributes = {
    autocomplete: "off",
    "aria-autocomplete": "list",
    "aria-controls": isOpen ? listId : null,
    "aria-activedescendant": isOpen && open.active >= 0 ? `${listId}-${open.active}` : null,
    onkeydown: (event) => press(event, id, find, onpick),
    onblur: () => { if (open?.id === id) { open = null; redraw(); } },
    onclick: (event) => { if (!event.target.value) suggest(event.target, find); },
    ...(isInEditor ? {} : { role: "combobox", "aria-expanded": String(isOpen) }),
  };
  const list = isOpen ? h("ul", { class: "suggestions", id: listId, role: "listbox", "aria-label": "Suggestions", "data-key": listId },
    open.items.map((item, index) => h("li", {
      id: `${listId}-${index}`, role: "option", "aria-selected": String(index === open.active), "data-key": `${index}`,
      onmousedown: (event) => { event.preventDefault(); pick(byId(id), index, onpick); },
    }, h("code", {}, item.label), h("span", { class: "soft" }, item.detail)))) : null;
  return { attributes, list };
}

/* Show the suggestions for the text before the caret. */
export function suggest(field, find) {
  const found = find(field.value, field.selectionStart ?? field.value.length);
  open = found && found.items.length ? { id: field.id, ...found, items: found.items.slice(0, isEditor(field) ? MAX_IN_EDITOR : MAX_SHOWN), active: -1 } : null;
  redraw();
  place(field);
}

const isEditor = (field) => field.nodeName === "TEXTAREA";

/* The list of an editor belongs below the line of the caret. */
function place(field) {
  const list = byId(`${field.id}-suggestions`);
  if (!list || !isEditor(field)) return;
  const line = field.value.slice(0, field.selectionStart).split("\n").length;
  const height = Number.parseFloat(getComputedStyle(field).lineHeight);
  const below = Math.min(Math.max(line * height - field.scrollTop + 10, 0), field.clientHeight);
  list.style.top = `${below}px`;
}

function press(event, id, find, onpick) {
  const isOpen = open?.id === id;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!isOpen) {
      if (isEditor(event.target)) return; // moves the caret
      event.preventDefault();
      suggest(event.target, find);
      if (open) move(1, event.target);
      return;
    }
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1, event.target);
  } else if (event.key === "Enter" && isOpen && open.active >= 0) {
    event.preventDefault();
    pick(event.target, open.active, onpick);
  } else if (event.key === "Escape" && isOpen) {
    event.preventDefault();
    event.stopPropagation();
    open = null;
    redraw();
  }
}

function move(step, field) {
  const count = open.items.length;
  open.active = open.active < 0 && step < 0 ? count - 1 : (open.active + step + count) % count;
  redraw();
  place(field);
  byId(`${field.id}-suggestions-${open.active}`)?.scrollIntoView({ block: "nearest" });
}

function pick(field, index, onpick) {
  const { items, start, end } = open;
  const { insert, caret = insert.length } = items[index];
  open = null;
  onpick(field.value.slice(0, start) + insert + field.value.slice(end));
  field.focus();
  field.setSelectionRange(start + caret, start + caret);
}
