/* The form of a mapping: rows that the studio makes of the JSON, and turns back into exactly that JSON.

   A form is { form, fields, result, mapping, isEdited, isInvalid, problem, trigger }. `mapping` is the text that it was made
   from. `isEdited`: rows that the studio has not turned back yet. `isInvalid`: rows that make no mapping until corrected. */

import { call } from "../api.js";
import { announce } from "../dialog.js";
import { draft, edited, forApi, work } from "../mapping/work.js";
import { redraw } from "../screen.js";
import { fresh } from "./sources.js";

const forms = new Map(); // by the key of the draft
const asked = new Map(); // by the key: a number that grows with each edit and request, so that an answer about older rows is dropped
const requests = new Map(); // by the key: the last request, as { number, result }

export const currentForm = () => (draft() ? forms.get(draft().key) ?? null : null);
export const hasUnsavedRows = () => work.drafts.some((each) => isOpen(each, forms.get(each.key)));
export const invalidForms = () => work.drafts.filter((each) => isOpen(each, forms.get(each.key)) && forms.get(each.key).isInvalid).length;
export const forgetForms = () => forms.clear();

/* True for rows that are not in the draft's mapping yet. An edit of the JSON discards them. */
const isOpen = (each, state) => Boolean(state && (state.isEdited || state.isInvalid) && state.mapping === each.mapping);

/* Turn the edited rows of all drafts into their mappings. Return false if some make none. */
export async function syncForms() {
  const open = work.drafts.filter((each) => isOpen(each, forms.get(each.key)));
  return (await Promise.all(open.map(syncForm))).every(Boolean);
}

/* Fetch the form of a draft, or turn its edited rows into the mapping. Return false for rows that make none. */
export function syncForm(current) {
  const number = next(current.key);
  const result = sync(current, number);
  requests.set(current.key, { number, result });
  return result;
}

async function sync(current, number) {
  const state = forms.get(current.key);
  const sent = isOpen(current, state) ? state.form : null;
  const before = current.mapping;
  const { ok, answer } = await call("POST", "/form", { draft: forApi(current), form: sent, event: work.sample.text });
  if (!ok && !state) forms.set(current.key, { problem: answer.message, mapping: before });
  if (number !== asked.get(current.key)) {
    const latest = requests.get(current.key);
    return latest.number > number ? latest.result : syncForm(current); // nobody saves before the latest rows are in the mapping
  }
  if (!ok || current.mapping !== before) return ok || sent === null;
  const isInvalid = sent !== null && answer.mapping === null;
  if (sent !== null && !isInvalid) current.mapping = answer.mapping;
  forms.set(current.key, { ...answer, mapping: current.mapping, isEdited: false, isInvalid });
  return !isInvalid;
}

function next(key) {
  asked.set(key, (asked.get(key) ?? 0) + 1);
  return asked.get(key);
}

/* Replace a row with the result of `change`. */
export function changeRow(index, change) {
  const state = currentForm();
  const rows = state.form.rows.map((row, at) => (at === index ? change(row) : row));
  forms.set(draft().key, { ...state, form: { ...state.form, rows }, mapping: draft().mapping, isEdited: true });
  next(draft().key);
  edited();
}

export const changeSource = (index, source) => changeRow(index, (row) => ({ ...row, source }));

/* Replace a named row of an object; null removes it. */
export function changeMember(index, at, change) {
  changeRow(index, (row) => ({
    ...row, source: { ...row.source, rows: row.source.rows.map((each, place) => (place === at ? change(each) : each)).filter(Boolean) },
  }));
}

export function addMember(index, member) {
  changeRow(index, (row) => ({ ...row, source: { ...row.source, rows: [...row.source.rows, member] } }));
}

/* The place to which a click maps a value: a row, perhaps a named row in it, perhaps an operand in that. */
export const target = { row: null, member: null, operand: null };

/* Remember the place where a person is working. */
export function aim(name, member = null, operand = null) {
  if (target.row === name && target.member === member && target.operand === operand) return;
  Object.assign(target, { row: name, member, operand });
  redraw();
}

/* The index of the targeted row: by default the first required row without a source, else the first row. */
export function targetIndex(state) {
  const { rows } = state.form;
  const aimed = rows.findIndex((row) => row.name === target.row);
  if (aimed >= 0) return aimed;
  const empty = rows.findIndex((row, index) => state.fields[index].required && row.source.kind === "none");
  return Math.max(empty, 0);
}

/* Map a value of the sample event to the targeted place. */
export function mapValue(suggestion) {
  const state = currentForm();
  if (!state?.form || state.form.rows.length === 0) return;
  const index = targetIndex(state);
  const row = state.form.rows[index];
  const { label } = state.fields[index];
  target.row = row.name;
  if (row.source.kind === "object") {
    const member = row.source.rows[target.member];
    if (member) changeMember(index, target.member, (each) => ({ ...each, source: mapped(each.source, suggestion) }));
    else addMember(index, { name: nameOf(suggestion.path), original: null, source: { kind: "path", path: suggestion.path } });
  } else changeSource(index, mapped(row.source, suggestion));
  announce(`${label} reads ${suggestion.path}.`);
}

const nameOf = (path) => path.replace(/^\$\./, "").split(/[.[\]'"]+/).filter(Boolean).at(-1) ?? "";

/* The source with the value in it: a template gets a tag, an operand the path; any other source becomes the path. */
function mapped(source, suggestion) {
  const path = { kind: "path", path: suggestion.path };
  if (source.kind === "template" && suggestion.tag) return { ...source, template: `${source.template}{{${suggestion.tag}}}` };
  if (source.kind === "if-exists" && target.operand) return { ...source, [target.operand]: path };
  if (source.kind === "if-exists") return { ...fresh("if-exists", path), otherwise: source.otherwise };
  return source.kind === "case" ? { ...source, value: path } : path;
}
