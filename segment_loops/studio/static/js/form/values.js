/* The values of the sample event, each of which a click maps to a field. */

import { h } from "../dom.js";
import { redraw } from "../screen.js";
import { aim, currentForm, mapValue, target, targetIndex } from "./model.js";
import { suggestions } from "./suggestions.js";

let filter = "";

export function values() {
  const state = currentForm();
  if (!state?.form || state.form.rows.length === 0) return h("p", { class: "soft" }, "Show the form of a mapping to map a value with a click.");
  const wanted = filter.toLowerCase();
  const shown = suggestions.paths.filter((each) => `${each.path} ${each.example}`.toLowerCase().includes(wanted));
  const index = targetIndex(state);
  const { label } = state.fields[index];
  return [
    h("div", { class: "fields values-head" },
      h("div", { class: "field" }, h("label", { for: "map-to" }, "Click a value to map it to"),
        h("select", { id: "map-to", value: state.form.rows[index].name, onchange: (event) => aim(event.target.value) },
          state.form.rows.map((row, at) => h("option", { value: row.name }, detail(state, row, at))))),
      h("div", { class: "field" }, h("label", { for: "value-filter" }, "Find a value"),
        h("input", { id: "value-filter", type: "search", value: filter, autocomplete: "off", spellcheck: "false", oninput: (event) => { filter = event.target.value; redraw(); } }))),
    h("ul", { class: "values", "aria-label": "Values of the sample event" }, shown.map((each) => h("li", { "data-key": each.path },
      h("button", { type: "button", class: "value", "aria-label": `Map ${label} to ${each.path}`, onclick: () => mapValue(each) },
        h("code", {}, each.path), h("span", { class: each.isSingleValue ? "" : "soft" }, each.example))))),
    shown.length ? null : h("p", { class: "soft" }, filter ? "No value matches." : "The event has no values."),
  ];
}

/* The name of a row, with the named row or operand that the click maps. */
function detail(state, row, at) {
  const { label } = state.fields[at];
  if (row.source.kind === "object") {
    const member = target.row === row.name ? row.source.rows[target.member] : null;
    return `${label}: ${member ? member.name || "new row" : "add a row"}`;
  }
  return target.row === row.name && target.operand && row.source.kind === "if-exists" ? `${label}: ${target.operand === "otherwise" ? "else" : target.operand}` : label;
}
