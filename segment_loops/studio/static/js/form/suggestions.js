/* Suggestions while a person types: paths of the sample event, and directives. */

import { call } from "../api.js";

export const suggestions = { event: null, paths: [], directives: [] };

/* Fetch the suggestions for an event, once for each event. */
export async function readSuggestions(event) {
  if (suggestions.event === event) return;
  suggestions.event = event;
  const { ok, answer } = await call("POST", "/suggestions", { event });
  if (ok && suggestions.event === event) Object.assign(suggestions, answer);
}

const plain = (text) => text.toLowerCase().replace(/^\$\.?/, "");

/* Those that begin with the words come first. */
function matching(items, words, of) {
  const wanted = plain(words);
  const found = items.filter((item) => plain(of(item)).includes(wanted));
  return [...found.filter((item) => plain(of(item)).startsWith(wanted)), ...found.filter((item) => !plain(of(item)).startsWith(wanted))];
}

/* The suggestions for a text that is a path as a whole. */
export function findPath(text) {
  const items = matching(suggestions.paths, text, (each) => each.path)
    .filter((each) => each.path !== text)
    .map((each) => ({ label: each.path, detail: each.example, insert: each.path }));
  return { items, start: 0, end: text.length };
}

/* The suggestions for the tag that is open before the caret. */
export function findTag(text, caret) {
  const start = text.lastIndexOf("{{", caret - 1);
  if (start < 0 || text.slice(start, caret).includes("}")) return null;
  const after = /^[^{}]*(\}\})?/.exec(text.slice(caret))[0].length;
  const end = text.slice(caret, caret + after).endsWith("}}") ? caret + after : caret;
  const words = text.slice(start + 2, caret).trim();
  return { items: matching(suggestions.paths.filter((each) => each.tag), words, (each) => each.tag)
    .map((each) => ({ label: each.tag, detail: each.example, insert: `{{${each.tag}}}` })), start, end };
}

/* The suggestions for JSON: in a string, a path after `$`, a directive after `@`, a tag after two braces. */
export function findInJson(text, caret) {
  const line = text.lastIndexOf("\n", caret - 1) + 1;
  const quote = openQuote(text.slice(line, caret));
  if (quote < 0) return directive(text, caret, /(?:^|[\s{,:[])(@\w*)$/.exec(text.slice(line, caret))?.[1]);
  const start = line + quote;
  const words = text.slice(start + 1, caret);
  if (words.startsWith("@")) return directive(text, caret, words, start);
  if (words.includes("{{")) {
    const found = findTag(text, caret);
    return found && { ...found, items: found.items.map((each) => ({ ...each, insert: quoted(each.insert) })) };
  }
  if (!words.startsWith("$")) return null;
  const end = caret + /^[^"\n,}\]]*/.exec(text.slice(caret))[0].length;
  return { ...findPath(words), items: findPath(words).items.map((each) => ({ ...each, insert: quoted(each.insert) })), start: start + 1, end };
}

const quoted = (words) => JSON.stringify(words).slice(1, -1);

/* The place of the quote that begins the string before the caret, -1 outside of a string. */
function openQuote(line) {
  let quote = -1;
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === "\\" && quote >= 0) at += 1;
    else if (line[at] === '"') quote = quote < 0 ? at : -1;
  }
  return quote;
}

/* A directive is the member of an object: it gets braces of its own where a value is expected. */
function directive(text, caret, words, from = caret - (words?.length ?? 0)) {
  if (!words) return null;
  const before = text.slice(0, from).trimEnd().at(-1);
  const isMember = before === "{" || (before === "," && text.slice(0, from).lastIndexOf("{") > text.slice(0, from).lastIndexOf("["));
  const end = text[caret] === '"' ? caret + 1 : caret;
  const items = matching(suggestions.directives, words, (each) => each.name)
    .map((each) => ({ label: each.name, detail: each.purpose, insert: isMember ? each.definition.slice(1, -1) : each.definition }));
  return { items, start: from, end };
}
