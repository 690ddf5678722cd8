/* The controls of a source: its kind, and its parts. */

import { h } from "../dom.js";
import { completion, suggest } from "./combobox.js";
import { aim } from "./model.js";
import { KINDS, OPERAND_KINDS, fresh } from "./sources.js";
import { findInJson, findPath, findTag } from "./suggestions.js";

/* `at` is { id, label, name, member, notes, isInvalid, type, original }: the place of the source in the form. */
export function sourceControls(source, at, change) {
  return [kindSelect(source, at, change), parts(source, at, change)];
}

function kindSelect(source, at, change) {
  const isOffered = (kind) => kind === source.kind || ((kind !== "object" || (at.type === "object" && !at.isMember)) && (kind !== "none" || !at.isMember)
    && (!at.operand || OPERAND_KINDS.has(kind)) && (kind !== "none" || at.operand !== "exists") && (kind !== "none" || at.operand !== "value"));
  return h("select", {
    id: `${at.id}-kind`, class: "kind", "aria-label": `${at.label}: source`, value: source.kind, onfocus: () => focus(at),
    onchange: (event) => {
      const kind = event.target.value; // drawn anew, the select has its former value again
      focus(at);
      change(fresh(kind, source, { type: at.type, json: at.original }));
    },
  }, KINDS.filter(([kind]) => isOffered(kind)).map(([kind, label]) => h("option", { value: kind }, kind === "none" && at.operand ? "Nothing" : label)));
}

function parts(source, at, change) {
  switch (source.kind) {
    case "path": return textField(source.path, at, "event field", findPath, (path) => change({ ...source, path }), "$.traits.email");
    case "template": return textField(source.template, at, "template", findTag, (template) => change({ ...source, template }), "{{traits.firstName}}");
    case "literal": return constant(source, at, change);
    case "if-exists": return h("div", { class: "operands" },
      operand("If", source.exists, "exists", at, (exists) => change({ ...source, exists }), "exists"),
      operand("then", source.then, "then", at, (then) => change({ ...source, then })),
      operand("else", source.otherwise, "otherwise", at, (otherwise) => change({ ...source, otherwise })));
    case "case": return h("div", { class: "operands" },
      h("div", { class: "operand" }, h("span", { class: "soft" }, "Write in"),
        h("select", { id: `${at.id}-operator`, "aria-label": `${at.label}: case`, value: source.operator, onfocus: () => focus(at), onchange: (event) => change({ ...source, operator: event.target.value }) },
          h("option", { value: "lower" }, "lower case"), h("option", { value: "upper" }, "UPPER CASE"))),
      operand("the value", source.value, "value", at, (value) => change({ ...source, value })));
    case "json": return json(source.text, at, (text) => change({ ...source, text }));
    default: return null;
  }
}

function operand(word, source, name, at, change, after = null) {
  const inside = { ...at, id: `${at.id}-${name}`, label: `${at.label}, ${word}`, operand: name, type: "text", original: null };
  return h("div", { class: "operand", "data-key": name }, h("span", { class: "soft" }, word), sourceControls(source, inside, change), after ? h("span", { class: "soft after" }, after) : null);
}

function textField(value, at, what, find, change, placeholder) {
  const id = `${at.id}-text`;
  const { attributes, list } = completion(id, { find, onpick: change });
  return h("div", { class: "combo" },
    h("input", {
      id, class: "code", value, placeholder, spellcheck: "false", "aria-label": `${at.label}: ${what}`, ...state(at), ...attributes, onfocus: () => focus(at),
      oninput: (event) => { change(event.target.value); suggest(event.target, find); },
    }), list);
}

function json(value, at, change) {
  const id = `${at.id}-json`;
  const { attributes, list } = completion(id, { find: findInJson, onpick: change, isInEditor: true });
  return h("div", { class: "combo" },
    h("textarea", {
      id, class: "code", rows: Math.min(Math.max(value.split("\n").length, 2), 10), spellcheck: "false", value,
      "aria-label": `${at.label}: JSON`, ...state(at), ...attributes, onfocus: () => focus(at),
      oninput: (event) => { change(event.target.value); suggest(event.target, findInJson); },
    }), list);
}

function constant(source, at, change) {
  const type = h("select", {
    id: `${at.id}-type`, class: "type", "aria-label": `${at.label}: type of the value`, value: source.type, onfocus: () => focus(at),
    onchange: (event) => change({ ...source, type: event.target.value, text: { boolean: "true", null: "" }[event.target.value] ?? source.text }),
  }, [["text", "Text"], ["number", "Number"], ["boolean", "Boolean"], ["null", "null"]].map(([value, label]) => h("option", { value }, label)));
  if (source.type === "null") return type;
  if (source.type === "boolean") {
    return [at.type === "boolean" ? null : type, h("select", { id: `${at.id}-boolean`, "aria-label": `${at.label}: value`, value: source.text, onfocus: () => focus(at), onchange: (event) => change({ ...source, text: event.target.value }) },
      h("option", { value: "true" }, "true"), h("option", { value: "false" }, "false"))];
  }
  return [type, h("input", {
    id: `${at.id}-text`, value: source.text, "aria-label": `${at.label}: value`, autocomplete: "off", spellcheck: "false", ...state(at),
    inputmode: source.type === "number" ? "decimal" : null, onfocus: () => focus(at), oninput: (event) => change({ ...source, text: event.target.value }),
  })];
}

const state = (at) => ({ "aria-describedby": at.notes, "aria-invalid": String(at.isInvalid) });
const focus = (at) => aim(at.name, at.member ?? null, at.operand ?? null);
