/* A text area for code, with numbered lines and its errors and warnings. */

import { byId, h } from "../dom.js";

/* `problems` and `warnings` have a message and may have a line. */
export function codeEditor({ id, label, value, oninput, problems = [], warnings = [], rows = [6, 24], hidden = false, attributes = {}, list = null }) {
  const lines = value.split("\n").length;
  const faulty = new Set(problems.map((each) => each.line));
  return [
    h("div", { class: "combo" }, h("div", { class: "lined" },
      h("div", { class: "gutter", "aria-hidden": "true" }, Array.from({ length: lines }, (_, index) =>
        h("div", { class: faulty.has(index + 1) ? "faulty" : null }, String(index + 1)))),
      h("textarea", {
        id, class: "code", spellcheck: "false", wrap: "off", rows: Math.min(Math.max(lines + 1, rows[0]), rows[1]), value,
        "aria-label": hidden ? label : null, "aria-describedby": `problems-${id}`, "aria-invalid": String(problems.length > 0), oninput,
        onscroll: (event) => { event.target.previousElementSibling.scrollTop = event.target.scrollTop; },
        ...attributes,
      })), list),
    problemList(id, problems, warnings),
  ];
}

export function problemList(id, problems, warnings = []) {
  const shown = [...problems, ...warnings.map((each) => ({ ...each, warning: true }))];
  return h("ul", { class: "problems", id: `problems-${id}` }, shown.map((problem) =>
    h("li", { class: problem.warning ? "warning" : null },
      problem.line ? h("button", { type: "button", class: "small", onclick: () => goToLine(id, problem.line) }, `Line ${problem.line}`) : null,
      problem.warning ? `Warning: ${problem.message}` : withCaret(problem.message))));
}

/* The lines of a message that a caret points into keep their columns. */
function withCaret(words) {
  const [first, ...rest] = words.split("\n");
  return rest.length ? [first, h("span", { class: "caret" }, rest.map((line) => line.replace(/^ {4}/, "")).join("\n"))] : first;
}

export function goToLine(id, line) {
  const area = byId(id);
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  area.scrollTop = Math.max(0, (line - 6) * (area.scrollHeight / Math.max(lines.length, 1)));
}
