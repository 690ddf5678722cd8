/* The subscriptions as they are edited, and the sample event with which they are tried. */

import { call, get } from "../api.js";
import { announce } from "../dialog.js";
import { forgetForms, hasUnsavedRows, invalidForms, syncForm, syncForms } from "../form/model.js";
import { readSuggestions } from "../form/suggestions.js";
import { count } from "../format.js";
import { href, go } from "../router.js";
import { redraw, screen } from "../screen.js";
import { merge } from "./merge.js";

const TYPING = 250; // milliseconds without a key until the drafts are checked

/* `drafts` have a `key` beside the API's members: their id or, for new ones, a name that the page made up. `fixing` is the dead
   letter that somebody came to fix. `conflict`: the file has changed while there are edits. `removed`: the drafts before
   one was deleted. `received`: the latest deliveries, whose events can be samples. */
export const work = {
  ready: false,
  file: "", problem: null, revision: "", version: "",
  drafts: [], base: [], selected: 0,
  actions: [], samples: [],
  problems: [], warnings: [], previews: [], eventProblem: null,
  sample: { source: "", text: "" },
  saving: "", conflict: false,
  sent: null, sending: false,
  fixing: null, removed: null, received: [],
};

export const forApi = ({ key, ...draft }) => draft;
const asText = (drafts) => JSON.stringify(drafts.map(forApi));

export const isDirty = () => asText(work.drafts) !== asText(work.base) || hasUnsavedRows();
export const hasErrors = () => work.problems.length > 0 || invalidForms() > 0;
export const draft = () => work.drafts[work.selected];
export const action = (slug) => work.actions.find((each) => each.slug === slug);

/* Read the file unless the page has its current version; edits are never overwritten. */
export async function readFile() {
  const version = screen.status.versions.mappings;
  if (work.ready && work.version === version) return;
  if (work.ready && isDirty()) {
    const current = await get("/mappings"); // the polled version may be older than the last save
    work.conflict = current.version !== work.version;
    return;
  }
  take(await get("/mappings"));
}

function take(mappings) {
  const selected = draft()?.key;
  Object.assign(work, {
    ready: true, conflict: false, removed: null,
    file: mappings.file, problem: mappings.problem, revision: mappings.revision, version: mappings.version,
    drafts: mappings.drafts.map((each) => ({ ...each, key: each.id })), base: mappings.drafts,
    actions: mappings.actions, samples: mappings.samples,
  });
  const index = work.drafts.findIndex((each) => each.key === selected);
  work.selected = index >= 0 ? index : Math.min(work.selected, Math.max(work.drafts.length - 1, 0));
  if (!work.sample.source) useSample(work.samples.find((each) => each.name === "identify") ?? work.samples[0]);
}

/* Keep the edits although the file has changed: they are carried over to the changed file. */
export async function keepEdits() {
  const theirs = await get("/mappings");
  const { drafts, both } = merge(work.base, work.drafts, theirs.drafts.map((each) => ({ ...each, key: each.id })));
  const edited = drafts.map((each) => ({ ...each, key: each.key ?? each.id }));
  take(theirs);
  work.drafts = edited;
  work.selected = Math.min(work.selected, Math.max(edited.length - 1, 0));
  work.saving = both.length ? `Your edits are kept. The file had changes to ${both.join(", ")} too: saving replaces them.` : "Your edits are kept.";
  announce(work.saving);
  await check();
}

export async function discardEdits() {
  forgetForms();
  work.removed = null;
  work.drafts = work.base.map((each) => ({ ...each, key: each.id }));
  if (work.conflict) take(await get("/mappings"));
  work.selected = Math.min(work.selected, Math.max(work.drafts.length - 1, 0));
  work.saving = "";
  await check();
}

let typing;

/* Note an edit: show it now, and check it once nobody types. */
export function edited() {
  work.saving = "";
  redraw();
  clearTimeout(typing);
  typing = setTimeout(check, TYPING);
}

let asked = 0;

/* Check the drafts, and preview the sample event under each. */
export async function check() {
  clearTimeout(typing);
  const number = ++asked;
  await Promise.all([draft() ? syncForm(draft()) : true, readSuggestions(work.sample.text)]);
  if (number !== asked) return;
  const { ok, answer } = await call("POST", "/preview", { drafts: work.drafts.map(forApi), event: work.sample.text });
  if (number !== asked) return; // a later check is under way
  if (ok) Object.assign(work, { problems: answer.problems, warnings: answer.warnings, previews: answer.previews, eventProblem: answer.event });
  else work.saving = answer.message;
  redraw();
}

export async function save() {
  if (!(await syncForms())) {
    redraw();
    return false;
  }
  const { ok, status, answer } = await call("PUT", "/mappings", { drafts: work.drafts.map(forApi), revision: work.revision });
  if (ok) {
    const index = work.selected;
    take(answer);
    work.selected = Math.min(index, work.drafts.length - 1);
    work.saving = "Saved. Used from the next event.";
    announce(work.saving);
    showSelected({ replace: true });
    await check();
    return true;
  }
  if (status === 409) work.conflict = true;
  else if (answer.problems) work.problems = answer.problems;
  else work.saving = answer.message;
  redraw();
  return false;
}

/* Problems or warnings of a part of the selected draft. */
export const mine = (part, list = work.problems) => list.filter((each) => each.draft === work.selected && each.part === part);

export function select(index) {
  const left = draft();
  if (left && hasUnsavedRows()) syncForm(left).then(check);
  work.selected = index;
  showSelected();
}

function showSelected(options) {
  const { query } = screen.route;
  go(href("mappings", draft()?.key ?? "", query), options);
}

export function add() {
  const chosen = action("sendEvent") ?? work.actions[0];
  insert({ name: freeName(chosen.title), action: chosen.slug, trigger: chosen.trigger, mapping: chosen.mapping }, work.drafts.length);
}

/* Add a disabled copy of the selected subscription below it. */
export async function duplicate() {
  await syncForms();
  const { name, action: slug, trigger, mapping } = draft();
  insert({ name: freeName(`${name || slug} copy`), action: slug, trigger, mapping }, work.selected + 1);
  await check();
}

let made = 0;

export const newKey = () => `new-${++made}`;

function insert(parts, index) {
  work.drafts.splice(index, 0, { key: newKey(), origin: null, id: null, enabled: false, ...parts });
  forgetResults();
  select(index);
}

export function freeName(wanted) {
  const names = new Set(work.drafts.map((each) => each.name));
  let name = wanted;
  for (let number = 2; names.has(name); number += 1) name = `${wanted} ${number}`;
  return name;
}

/* Once drafts have moved, the results no longer fit, because they are known by the index of a draft; nor does "Saved". */
const forgetResults = () => Object.assign(work, { problems: [], warnings: [], previews: work.drafts.map(() => null), saving: "" });

/* Move the selected subscription up (-1) or down (1). */
export async function move(step) {
  const index = work.selected + step;
  const [moved] = work.drafts.splice(work.selected, 1);
  work.drafts.splice(index, 0, moved);
  work.selected = index;
  announce(`${moved.name || moved.action} is now ${index + 1} of ${work.drafts.length}.`);
  forgetResults();
  await check();
}

export function remove() {
  work.removed = { drafts: [...work.drafts], name: draft().name || draft().action, selected: work.selected };
  work.drafts.splice(work.selected, 1);
  forgetResults();
  announce(`${work.removed.name} is deleted. Undo brings it back.`);
  work.selected = Math.max(0, work.selected - 1);
  select(work.selected);
}

export async function undoRemove() {
  const { drafts, selected, name } = work.removed;
  const gone = drafts.find((each) => !work.drafts.includes(each));
  if (gone) work.drafts.splice(Math.min(selected, work.drafts.length), 0, gone);
  work.removed = null;
  forgetResults();
  select(Math.max(work.drafts.indexOf(gone), 0));
  announce(`${name} is back.`);
  await check();
}

/* Replace the drafts with those of an import, or add those at the end. */
export async function useImported(drafts, { replace }) {
  const imported = drafts.map((each) => ({ ...each, key: newKey() }));
  const start = replace ? 0 : work.drafts.length;
  work.drafts = replace ? imported : [...work.drafts, ...imported];
  work.removed = null;
  forgetResults();
  select(start);
  await check();
}

export function useSample(sample) {
  work.sample = { source: sample ? `events/${sample.name}` : "custom", text: sample?.event ?? "" };
  work.sent = null;
}

/* Use the event of a delivery, or of a message on a queue, as the sample. */
export function useEvent(text, source) {
  work.sample = { source, text };
  work.sent = null;
}

export async function send(question) {
  if (!(await question())) return;
  if (isDirty() && !(await save())) return;
  Object.assign(work, { sending: true, sent: null });
  redraw();
  const { ok, answer } = await call("POST", "/send", { event: work.sample.text, confirmed: !screen.status.sandboxed });
  Object.assign(work, { sending: false, sent: ok ? answer : { error: answer.message } });
  announce(ok ? answer.deliveries.map((each) => each.outcome).join(", ") || "Sent." : answer.message);
  redraw();
}

/* The note beside the Save button: the errors that prevent saving, or the state of the edits. */
export function saveNote() {
  const errors = work.problems.length + invalidForms();
  if (errors) return count(errors, "error");
  if (!isDirty()) return work.saving;
  const warnings = work.warnings.length ? `, ${count(work.warnings.length, "warning")}` : "";
  return work.saving || `Unsaved changes${warnings}`;
}
