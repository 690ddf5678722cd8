/* The import of an export from Segment: what will work differently, and the samples under it, before anything is saved. */

import { call } from "../api.js";
import { announce } from "../dialog.js";
import { byId, h } from "../dom.js";
import { count } from "../format.js";
import { message, outcome } from "../parts.js";
import { closeSheet, openSheet, redrawSheet } from "../sheet.js";
import { screen } from "../screen.js";
import { useImported, work } from "./work.js";

const given = { text: "", answer: null, failure: null };

/* Ask for an export, or show one that was pasted or dropped. */
export async function openImport(text = "") {
  Object.assign(given, { text, answer: null, failure: null });
  openSheet("Import from Segment", content);
  byId("export")?.focus();
  if (text) await read({ rewrite: false });
}

async function read({ rewrite }) {
  const { ok, answer } = await call("POST", "/import", { export: given.text, rewrite });
  Object.assign(given, { answer: ok ? answer : null, failure: ok ? null : answer });
  announce(ok ? `${count(answer.drafts.length, "subscription")} can be imported.` : "The export cannot be imported.");
  redrawSheet();
}

function content() {
  return [
    h("div", { class: "field" },
      h("label", { for: "export" }, "Paste the answer of Segment's Public API to GET /destinations/{id}/subscriptions, or drop its file here"),
      h("textarea", { id: "export", class: "code", rows: 6, spellcheck: "false", value: given.text, oninput: (event) => { Object.assign(given, { text: event.target.value, answer: null, failure: null }); redrawSheet(); } })),
    h("div", { class: "actions start" },
      h("button", { type: "button", class: given.answer || given.failure ? "" : "primary", disabled: !given.text.trim(), onclick: () => read({ rewrite: false }) }, "Check"),
      h("label", { class: "button" }, "Choose a file", h("input", { type: "file", class: "unseen", accept: ".json,application/json", onchange: async (event) => take(event.target.files[0]) }))),
    given.failure ? failed(given.failure) : null,
    given.answer ? accepted(given.answer) : null,
  ];
}

async function take(file) {
  if (!file) return;
  given.text = await file.text();
  redrawSheet();
  await read({ rewrite: false });
}

function failed(answer) {
  if (!answer.problems) return message("bad", answer.message);
  if (answer.rewrites?.length) {
    return [
      message("wait", h("p", {}, "These triggers mix “and” and “or” without parentheses. Segment lets the last one win:"),
        h("ul", { class: "differences" }, answer.rewrites.map((each) => h("li", {}, h("code", {}, each.before), " becomes ", h("code", {}, each.after))))),
      h("div", { class: "actions start" }, h("button", { type: "button", class: "primary", onclick: () => read({ rewrite: true }) }, "Rewrite as Segment reads them")),
    ];
  }
  return message("bad", h("p", {}, `The export has ${count(answer.problems.length, "error")}. Correct them, and check it again.`),
    h("ul", { class: "differences" }, answer.problems.map((each) => h("li", {}, each.path ? h("code", {}, each.path) : null, each.path ? ": " : "", each.message))));
}

function accepted(answer) {
  return [
    h("h3", {}, count(answer.drafts.length, "subscription")),
    h("ul", { class: "differences" }, answer.drafts.map((each) => h("li", {}, each.name || each.action, each.enabled ? null : h("span", { class: "soft" }, ", disabled")))),
    section("Differences from Segment", answer.differences, (each) => [each.subscription ? h("strong", {}, `${each.subscription}: `) : null, each.path ? `${each.path.slice(1)} ` : "", each.message]),
    section("Warnings", answer.warnings, (each) => [h("code", {}, each.path), ": ", each.message]),
    section("Sample events", answer.samples, (each) => [`events/${each.name}: `, each.matching.length
      ? each.matching.map((one) => h("span", { class: "sample-result" }, one.outcome ? outcome(one) : "matches", ` ${one.name}${one.detail ? `: ${one.detail}` : ""}`))
      : h("span", { class: "soft" }, "no subscription matches")]),
    h("p", { class: "soft" }, "Nothing is saved yet. Review the changes, then save."),
    h("div", { class: "actions" },
      work.drafts.length ? h("button", { type: "button", onclick: () => use(answer, false) }, "Add to the file") : null,
      h("button", { type: "button", class: "primary", onclick: () => use(answer, true) }, work.drafts.length ? "Replace all subscriptions" : "Use these subscriptions")),
  ];
}

const section = (title, list, item) => (list.length ? [h("h3", {}, title), h("ul", { class: "differences" }, list.map((each) => h("li", {}, item(each))))] : null);

async function use(answer, replace) {
  closeSheet();
  await useImported(answer.drafts, { replace });
}

/* True for text that may be an export, so that pasting it anywhere on the page opens the import. */
const looksLikeExport = (text) => /^\s*[[{]/.test(text) && /"(actionSlug|subscriptions)"/.test(text);

const isField = (element) => element.closest?.("input, textarea, select, dialog") !== null;
const isShown = () => screen.route.name === "mappings";

addEventListener("paste", (event) => {
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (!isShown() || isField(event.target) || !looksLikeExport(text)) return;
  event.preventDefault();
  openImport(text);
});
addEventListener("dragover", (event) => { if (isShown() && event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
addEventListener("drop", async (event) => {
  const [file] = event.dataTransfer?.files ?? [];
  if (!isShown() || !file) return;
  event.preventDefault();
  if (byId("sheet").open && byId("export")) await take(file);
  else openImport(await file.text());
});
