/* The parts from which the views are made. */

import { announce } from "./dialog.js";
import { h } from "./dom.js";
import { count, pretty, sentence, text } from "./format.js";
import { inOrder, kindOf, meaningOf } from "./outcomes.js";
import { go, here } from "./router.js";

export const tag = (word, kind = kindOf(word)) => h("span", { class: `tag ${kind}` }, word);
export const code = (words, attributes = {}) => h("code", attributes, words);
export const message = (kind, ...content) => h("div", { class: `message ${kind}` }, content);
export const soft = (...content) => h("span", { class: "soft" }, content);

/* An outcome with its reason; the reason's meaning is its tooltip. */
export const outcome = (each) => h("span", { class: "outcome" }, tag(each.outcome),
  each.reason ? h("span", { class: "reason", title: meaningOf(each.reason) }, each.reason) : null);

export function header(title, hint, ...actions) {
  return h("div", { class: "head" },
    h("div", {}, h("h1", {}, title), hint ? h("p", { class: "hint" }, hint) : null),
    actions.flat().filter(Boolean).length ? h("div", { class: "actions" }, actions) : null);
}

/* The text for an empty place: the reason, and the next step. */
export const empty = (title, ...next) => h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, next));

/* A table. A column is [label, class]; a row is { key, cells, href?, class? }. The first cell with a link names the row. */
export function table(caption, columns, rows) {
  return h("div", { class: "table" }, h("table", {},
    h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, columns.map(([label, className]) => h("th", { scope: "col", class: className }, label)))),
    h("tbody", {}, rows.map((row) => h("tr", { "data-key": row.key, class: row.class },
      row.cells.map((cell, index) => h("td", { class: columns[index][1], "data-label": typeof columns[index][0] === "string" ? columns[index][0] : null }, cell)))))));
}

/* Members of an object as a list; a long one is folded after `shown` members. */
export function members(object, key, shown = 4) {
  const entries = Object.entries(object ?? {}).filter(([, value]) => value !== null);
  const list = (part) => h("ul", { class: "members" }, part.map(([name, value]) => h("li", {}, soft(name), " ", text(value))));
  if (entries.length <= shown + 1) return entries.length ? list(entries) : null;
  return h("div", {}, list(entries.slice(0, shown)),
    h("details", { "data-key": key }, h("summary", {}, `${entries.length - shown} more`), list(entries.slice(shown))));
}

/* Text of a program, folded if it is long. */
export function block(label, content, { key = label, open = true } = {}) {
  return h("details", { class: "block", "data-key": key, open },
    h("summary", {}, label),
    h("div", { class: "block-body" }, copyButton("Copy", content, `Copy: ${label}`), h("pre", { tabindex: 0, role: "region", "aria-label": label }, content)));
}

export const jsonBlock = (label, value, options) => block(label, pretty(value), options);

export function copyButton(label, content, name = null) {
  return h("button", { type: "button", class: "small quiet", "aria-label": name, onclick: async (event) => {
    await navigator.clipboard.writeText(typeof content === "function" ? content() : content);
    announce("Copied.");
    const button = event.currentTarget ?? event.target;
    button.dataset.copied = "true";
    setTimeout(() => { delete button.dataset.copied; }, 1500);
  } }, label);
}

/* The request to Loops as a curl command; the API key comes from the environment. */
export function curlOf(request) {
  const quoted = (words) => `'${words.replaceAll("'", "'\\''")}'`;
  const headers = Object.entries(request.headers).map(([name, value]) => (name.toLowerCase() === "authorization"
    ? `-H "Authorization: Bearer $LOOPS_API_KEY"` : `-H ${quoted(`${name}: ${value}`)}`));
  return [`curl -X ${request.method} ${quoted(request.url)}`, ...headers, `-d ${quoted(JSON.stringify(request.body))}`].join(" \\\n  ");
}

export function requestBlock(request) {
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
  return block("Request to Loops", [`${request.method} ${request.url}`, ...headers, "", pretty(request.body)].join("\n"));
}

/* Filters that show how many rows each would leave. The chosen one is in the address, under `name`. */
export function chips(label, name, chosen, counts, all) {
  const chip = (value, words, number, kind) => h("button", {
    type: "button", class: `chip ${kind}`, "data-key": `chip-${value}`, "aria-pressed": String(chosen === value),
    onclick: () => go(here({ [name]: chosen === value ? "" : value, page: "" })),
  }, words, h("span", { class: "chip-count" }, number.toLocaleString("en")));
  const values = inOrder([...new Set([...Object.keys(counts), ...(chosen ? [chosen] : [])])]);
  return h("div", { class: "chips", role: "group", "aria-label": label },
    chip("", "All", all, ""), values.map((each) => chip(each, each, counts[each] ?? 0, kindOf(each))));
}

export function pager(page, one, many = `${one}s`) {
  if (page.total === 0) return null;
  const first = (page.page - 1) * page.size + 1;
  const last = Math.min(page.page * page.size, page.total);
  const words = page.pages === 1 ? count(page.total, one, many) : `${first}–${last} of ${count(page.total, one, many)}`;
  return h("nav", { class: "pager", "aria-label": "Pages" },
    h("p", { class: "soft" }, words),
    page.pages > 1 ? h("div", { class: "actions" },
      h("button", { type: "button", class: "small", "data-key": "previous", disabled: page.page === 1, onclick: () => go(here({ page: page.page - 1 })) }, "Previous"),
      h("button", { type: "button", class: "small", "data-key": "next", disabled: page.page === page.pages, onclick: () => go(here({ page: page.page + 1 })) }, "Next")) : null);
}

/* A search field whose text is in the address, under `q`. */
export function search(label, value) {
  return h("label", { class: "search" }, h("span", { class: "unseen" }, label),
    h("input", { type: "search", id: "search", "data-key": "search", value, placeholder: label, autocomplete: "off", spellcheck: "false", oninput: (event) => find(event.target.value) }));
}

let finding;
function find(words) {
  clearTimeout(finding);
  finding = setTimeout(() => go(here({ q: words.trim(), page: "" }), { replace: true }), 200);
}

/* The conditions of a trigger, each with its result and the event's value. */
export function conditions(list) {
  return h("ul", { class: "conditions" }, list.map((each) => h("li", { class: each.held ? "held" : "failed" },
    h("span", { class: "mark" }, each.held ? "yes" : "no"), code(each.condition),
    soft(found(each)),
    each.decided && list.length > 1 ? h("span", { class: "decides" }, "decides") : null)));
}

/* The event's value in the field of a condition, in words. */
function found(condition) {
  if (!("value" in condition)) return "the event has no value there";
  const words = JSON.stringify(condition.value);
  return `the event has ${words.length > 60 ? `${words.slice(0, 60)}…` : words}`;
}

/* The reason why an event did not match a subscription, in one line. */
export function whyNot(explanation) {
  if (!explanation.enabled) return "The subscription is disabled.";
  const decided = explanation.conditions.find((each) => each.decided && !each.held);
  return decided ? [code(decided.condition), ` is false: ${found(decided)}.`] : "";
}

/* The person an event is about: the email or the userId. */
export const who = (each) => each.email ?? each.userId ?? "";

/* The title of an event: its name, or else its type. */
export const eventTitle = (each) => each.eventName ?? each.type ?? "Unreadable event";
