/* The subscriptions as they are edited, and the sample event that they are held against. */

import { call, get } from "../api.js";
import { announce } from "../dialog.js";
import { count } from "../format.js";
import { href, go } from "../router.js";
import { redraw, screen } from "../screen.js";
import { merge } from "./merge.js";

const TYPING = 250; // milliseconds without a key until the drafts are checked

/* `drafts` have a `key` beside the API's members: their id, or a name that this page gave a new one. `fixing` is the dead
   letter that somebody came to fix. `conflict`: the file has changed while there are edits. */
export const work = {
  ready: false,
  file: "", problem: null, revision: "", version: "",
  drafts: [], base: [], selected: 0,
  actions: [], samples: [],
  problems: [], warnings: [], previews: [], eventProblem: null,
  sample: { source: "", text: "" },
  saving: "", conflict: false,
  sent: null, sending: false,
  fixing: null,
};

const forApi = ({ key, ...draft }) => draft;
const asText = (drafts) => JSON.stringify(drafts.map(forApi));

export const isDirty = () => asText(work.drafts) !== asText(work.base);
export const draft = () => work.drafts[work.selected];
export const action = (slug) => work.actions.find((each) => each.slug === slug);

/* Read the file unless the page has its present version; edits are never overwritten. */
export async function readFile() {
  const version = screen.status.versions.mappings;
  if (work.ready && work.version === version) return;
  if (work.ready && isDirty()) {
    work.conflict = true;
    return;
  }
  take(await get("/mappings"));
}

function take(mappings) {
  const selected = draft()?.key;
  Object.assign(work, {
    ready: true, conflict: false,
    file: mappings.file, problem: mappings.problem, revision: mappings.revision, version: mappings.version,
    drafts: mappings.drafts.map((each) => ({ ...each, key: each.id })), base: mappings.drafts,
    actions: mappings.actions, samples: mappings.samples,
  });
  const index = work.drafts.findIndex((each) => each.key === selected);
  work.selected = index >= 0 ? index : Math.min(work.selected, Math.max(work.drafts.length - 1, 0));
  if (!work.sample.source) useSample(work.samples.find((each) => each.name === "identify") ?? work.samples[0]);
}

/* Keep the edits although the file has changed: they are carried over to the present file. */
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
  const { ok, answer } = await call("POST", "/preview", { drafts: work.drafts.map(forApi), event: work.sample.text });
  if (number !== asked) return; // a later one is on its way
  if (ok) Object.assign(work, { problems: answer.problems, warnings: answer.warnings, previews: answer.previews, eventProblem: answer.event });
  else work.saving = answer.message;
  redraw();
}

export async function save() {
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
  work.selected = index;
  showSelected();
}

function showSelected(options) {
  const { query } = screen.route;
  go(href("mappings", draft()?.key ?? "", query), options);
}

export function add() {
  const chosen = action("sendEvent") ?? work.actions[0];
  const names = new Set(work.drafts.map((each) => each.name));
  let name = chosen.title;
  for (let number = 2; names.has(name); number += 1) name = `${chosen.title} ${number}`;
  work.drafts.push({ key: `new-${Date.now()}`, origin: null, id: null, name, action: chosen.slug, enabled: false, trigger: chosen.trigger, mapping: chosen.mapping });
  work.previews.push(null);
  select(work.drafts.length - 1);
}

export function remove() {
  work.drafts.splice(work.selected, 1);
  Object.assign(work, { problems: [], warnings: [] });
  work.previews.splice(work.selected, 1);
  select(Math.max(0, work.selected - 1));
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

/* What keeps the drafts from being saved, or what is to be known about them before. */
export function saveNote() {
  if (work.problems.length) return count(work.problems.length, "error");
  if (!isDirty()) return work.saving;
  const warnings = work.warnings.length ? `, ${count(work.warnings.length, "warning")}` : "";
  return work.saving || `Unsaved changes${warnings}`;
}
