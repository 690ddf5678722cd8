/* The list of subscriptions, and the form of the selected one. */

import { byId, h } from "../dom.js";
import { completion, suggest } from "../form/combobox.js";
import { currentForm, forgetForms } from "../form/model.js";
import { formRows } from "../form/rows.js";
import { findInJson } from "../form/suggestions.js";
import { count } from "../format.js";
import { conditions, empty, message, tag } from "../parts.js";
import { codeEditor, problemList } from "./code-editor.js";
import { openImport } from "./import.js";
import { tabs } from "./tabs.js";
import { action, add, check, draft, duplicate, edited, freeName, mine, move, remove, select, undoRemove, work } from "./work.js";

export function subscriptions() {
  return h("section", { class: "card", "aria-labelledby": "subscriptions-title" },
    h("div", { class: "card-head" }, h("h2", { id: "subscriptions-title" }, "Subscriptions"),
      h("div", { class: "actions" },
        h("button", { type: "button", class: "small", onclick: () => openImport() }, "Import"),
        h("button", { type: "button", class: "small", onclick: addOne }, "Add"))),
    work.drafts.length ? null : empty("No subscriptions.", "Every event is filtered. Add one, or import Segment's export."),
    h("ul", { class: "picks", id: "picks" }, work.drafts.map((each, index) =>
      h("li", { "data-key": each.key }, h("button", { type: "button", "aria-current": index === work.selected ? "true" : null, onclick: () => { select(index); } },
        h("span", {}, each.name || each.action), state(index))))),
    work.removed ? message("plain", h("p", {}, `“${work.removed.name}” is deleted. Its deliveries on the RetryQueue become dead letters once you save.`),
      h("div", { class: "actions start" }, h("button", { type: "button", class: "small", id: "undo-delete", onclick: undo }, "Undo"))) : null);
}

async function undo() {
  await undoRemove();
  document.querySelector("#picks [aria-current]")?.focus();
}

async function deleteOne() {
  remove();
  await check();
  byId("undo-delete")?.focus();
}

function state(index) {
  const of = (list) => list.filter((each) => each.draft === index).length;
  const errors = of(work.problems);
  const warnings = of(work.warnings);
  if (errors) return tag(count(errors, "error"), "bad");
  const marks = [warnings ? tag(count(warnings, "warning"), "wait") : null];
  if (!work.drafts[index].enabled) marks.push(tag("Disabled", "plain"));
  else if (!work.eventProblem && work.previews[index]) marks.push(work.previews[index].matches ? tag("Matches", "good") : tag("No match", "plain"));
  return h("span", { class: "marks" }, marks);
}

async function addOne() {
  add();
  await check();
  byId("name")?.focus();
  byId("name")?.select();
}

export function editor() {
  const current = draft();
  if (!current) return null;
  const change = (member, read = (event) => event.target.value) => (event) => {
    current[member] = read(event);
    edited();
  };
  const others = (list) => list.filter((each) => (each.draft === work.selected || each.draft === null) && !["trigger", "mapping"].includes(each.part))
    .map((each) => ({ ...each, line: null }));
  return h("form", { class: "card", id: "editor", "data-key": `editor-${current.key}`, onsubmit: (event) => event.preventDefault() },
    h("div", { class: "field" }, h("label", { for: "name" }, "Name"),
      h("input", { id: "name", autocomplete: "off", spellcheck: "false", "aria-describedby": "problems-name", value: current.name, oninput: change("name") })),
    h("div", { class: "fields" },
      h("div", { class: "field grow" }, h("label", { for: "action" }, "Action"),
        h("select", { id: "action", value: current.action, onchange: changeAction(current) }, work.actions.map((each) => h("option", { value: each.slug }, each.title)))),
      h("label", { class: "check" }, h("input", { type: "checkbox", id: "enabled", checked: current.enabled, onchange: change("enabled", (event) => event.target.checked) }), " Enabled")),
    problemList("name", others(work.problems), others(work.warnings)),
    h("div", { class: "field" }, h("label", { for: "trigger" }, "Trigger"),
      h("textarea", { id: "trigger", class: "code", rows: 2, spellcheck: "false", "aria-describedby": "problems-trigger", "aria-invalid": String(mine("trigger").length > 0), value: current.trigger, oninput: change("trigger") }),
      problemList("trigger", mine("trigger").map((each) => ({ ...each, line: null })), mine("trigger", work.warnings)),
      explained()),
    mapping(current),
    h("div", { class: "actions start" },
      h("button", { type: "button", onclick: duplicate }, "Duplicate"),
      h("button", { type: "button", disabled: work.selected === 0, onclick: () => move(-1) }, "Move up"),
      h("button", { type: "button", disabled: work.selected === work.drafts.length - 1, onclick: () => move(1) }, "Move down"),
      h("button", { type: "button", class: "danger", onclick: deleteOne }, "Delete")));
}

/* The trigger's conditions with their values in the sample event, while the trigger is valid. */
function explained() {
  const trigger = currentForm()?.trigger;
  return trigger && !mine("trigger").length ? conditions(trigger) : null;
}

/* The form and the JSON of the same mapping. */
function mapping(current) {
  const { chosen, choose, list, panel } = tabs("mapping", "Show the mapping as", [["form", "Form"], ["json", "JSON"]]);
  return h("div", { class: "field mapping-field" },
    h("div", { class: "mapping-head" }, h("h2", {}, "Mapping"), list),
    h("div", { ...panel, "data-key": `panel-${chosen}` }, chosen === "form" ? formRows({ showJson: () => choose("json") }) : json(current)));
}

function json(current) {
  const write = (text) => {
    current.mapping = text;
    edited();
  };
  const { attributes, list } = completion("mapping", { find: findInJson, onpick: write, isInEditor: true });
  return codeEditor({
    id: "mapping", label: "Mapping", hidden: true, value: current.mapping, problems: mine("mapping"), warnings: mine("mapping", work.warnings), attributes, list,
    oninput: (event) => { write(event.target.value); suggest(event.target, findInJson); },
  });
}

/* A name, trigger or mapping that is still the old action's default becomes the new action's default. */
function changeAction(current) {
  return (event) => {
    const before = action(current.action);
    const after = action(event.target.value);
    if (current.trigger === before?.trigger) current.trigger = after.trigger;
    if (current.mapping === before?.mapping) current.mapping = after.mapping;
    if (current.origin === null && current.name.replace(/ \d+$/, "") === before?.title) current.name = freeName(after.title);
    current.action = after.slug;
    forgetForms(); // its rows are those of another action
    edited();
  };
}
