/* The rows of a mapping: each field of the action with its source, and its value for the sample event. */

import { byId, h } from "../dom.js";
import { text } from "../format.js";
import { message } from "../parts.js";
import { work } from "../mapping/work.js";
import { sourceControls } from "./controls.js";
import { addMember, changeMember, changeRow, changeSource, currentForm, target } from "./model.js";

export function formRows({ showJson }) {
  const state = currentForm();
  if (!state) return h("p", { class: "soft" }, "Loading…");
  const toJson = h("button", { type: "button", class: "small", onclick: showJson }, "Show the JSON");
  if (state.problem) return message("bad", h("p", {}, state.problem), toJson);
  if (state.form.whole !== null) return message("plain", h("p", {}, "One directive makes this whole mapping, so it has no rows. Edit it as JSON."), toJson);
  const others = state.fields.findIndex((each) => !each.isField);
  const rows = state.form.rows.map((_, index) => row(state, index));
  return [
    notes("form", state.result),
    h("div", { class: "map-rows" }, others < 0 ? rows : rows.slice(0, others)),
    others < 0 ? null : [h("h3", { class: "map-others" }, "Other keys"), h("div", { class: "map-rows" }, rows.slice(others))],
  ];
}

function row(state, index) {
  const current = state.form.rows[index];
  const field = state.fields[index];
  const result = state.result.rows[index];
  const id = `row-${index}`;
  const at = {
    id, label: field.label, name: current.name, type: field.type, original: current.original, notes: `${id}-notes`,
    isInvalid: result.problems.length > 0,
  };
  return h("div", { class: `map-row${target.row === current.name ? " aimed" : ""}`, "data-key": `row-${current.name}`, role: "group", "aria-labelledby": `${id}-name` },
    h("div", { class: "map-name" }, h("span", { id: `${id}-name`, class: "map-label" }, field.label),
      h("span", { class: "soft" }, [field.isField ? field.type : "not a field of this action", field.required ? "required" : null].filter(Boolean).join(", "))),
    h("div", { class: "map-source" }, sourceControls(current.source, at, (source) => changeSource(index, source))),
    current.source.kind === "object" ? members(current, result, index, at) : value(result, current.source, field),
    notes(id, result, field));
}

function members(current, result, index, at) {
  return h("div", { class: "map-members" },
    current.source.rows.map((each, place) => {
      const id = `${at.id}-${place}`;
      const outcome = result.members[place] ?? { problems: [], warnings: [], members: [] };
      const label = each.name || `Row ${place + 1}`;
      const inside = { ...at, id, label: `${at.label}, ${label}`, member: place, isMember: true, type: current.name === "mailingLists" ? "boolean" : "text", original: each.original, notes: `${id}-notes`, isInvalid: outcome.problems.length > 0 };
      return h("div", { class: "map-member", "data-key": `member-${place}` },
        h("div", { class: "map-source" },
          h("input", { id: `${id}-key`, class: "map-key", value: each.name, placeholder: "Name", "aria-label": `${at.label}: name ${place + 1}`, autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-notes`,
            oninput: (event) => changeMember(index, place, (row) => ({ ...row, name: event.target.value })) }),
          sourceControls(each.source, inside, (source) => changeMember(index, place, (row) => ({ ...row, source }))),
          h("button", { type: "button", class: "small quiet", "aria-label": `Remove ${label} from ${at.label}`, onclick: () => changeMember(index, place, () => null) }, "Remove")),
        value(outcome, each.source, null), notes(id, outcome));
    }),
    h("button", { type: "button", class: "small", onclick: () => addRow(current, index, at) }, "Add row"));
}

function addRow(current, index, at) {
  const source = current.name === "mailingLists" ? { kind: "literal", type: "boolean", text: "true" } : { kind: "path", path: "" };
  addMember(index, { name: "", original: null, source });
  byId(`${at.id}-${current.source.rows.length}-key`)?.focus();
}

const MAX_VALUE = 80;

/* The value for the sample event; nothing for a field that is not mapped, or without an event. */
function value(result, source, field) {
  if (source.kind === "none" || work.eventProblem || result.problems.length) return null;
  if (!("value" in result) || result.value === null || result.value === "") {
    return h("p", { class: "map-value soft" }, result.rejection && field?.required ? null : "Empty for this event");
  }
  const words = text(result.value);
  return h("p", { class: "map-value" }, h("span", { class: "soft" }, "Sample: "), h("code", {}, words.length > MAX_VALUE ? `${words.slice(0, MAX_VALUE)}…` : words));
}

/* The errors and warnings of a row, and the reason why the sample event would be rejected. */
function notes(id, result, field = null) {
  return h("ul", { class: "problems", id: `${id}-notes` },
    result.problems.map((words) => h("li", {}, words)),
    result.rejection && !result.problems.length && !work.eventProblem ? h("li", { class: "warning" }, `${field?.label ?? "The value"} ${rejection(result.rejection)}`) : null,
    result.warnings.map((words) => h("li", { class: "warning" }, `Warning: ${words}`)));
}

const rejection = (words) => (words.startsWith("is required") ? "is required, and empty for this event." : `${words}: this event is rejected.`);
