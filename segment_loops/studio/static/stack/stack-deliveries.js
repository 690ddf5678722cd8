/* Deliveries: a search of the log, whose price is shown before it begins. */

import { ask } from "/studio/js/dialog.js";
import { h } from "/studio/js/dom.js";
import { timeElement } from "/studio/js/format.js";
import { kindOf, meaningOf } from "/studio/js/outcomes.js";
import { chips, code, empty, header, message, soft, table, tag } from "/studio/js/parts.js";
import { fill, redraw, shown, slot } from "./page.js";
import { periodField, since } from "./periods.js";

const estimate = slot();
const found = slot();
const wanted = { by: "", id: "" };

export const deliveries = {
  title: "Deliveries",
  depends: (query) => String(since(query)),
  enter(query) { fill(estimate, "GET", `/estimate?since=${since(query)}`); },
  render(query) {
    return [
      header("Deliveries", "From the functions' logs. They hold no event name and no email, and users as hashes."),
      h("form", { class: "ask-log", onsubmit: (event) => { event.preventDefault(); search(query); } },
        periodField(query),
        h("div", { class: "field" }, h("label", { for: "by" }, "Show"),
          h("select", { id: "by", value: wanted.by, onchange: (event) => { wanted.by = event.target.value; wanted.id = ""; redraw(); } },
            h("option", { value: "" }, "all events"), h("option", { value: "messageId" }, "one messageId"), h("option", { value: "userId" }, "one userId"))),
        wanted.by ? h("div", { class: "field id" }, h("label", { for: "id" }, wanted.by),
          h("input", { id: "id", value: wanted.id, required: true, autocomplete: "off", spellcheck: "false", oninput: (event) => { wanted.id = event.target.value; } })) : null,
        h("button", { type: "submit", class: "primary", disabled: found.busy || !estimate.answer }, "Search the log"),
        h("div", { class: "price" }, shown(estimate, (answer) => h("p", {}, `A search of this period scans ${answer.price}.`)))),
      shown(found, (answer) => results(answer, query)),
    ];
  },
};



async function search(query) {
  const { isLarge, price } = estimate.answer;
  if (isLarge && !(await ask("Run this search?", `It scans ${price}.`, "Search the log"))) return;
  await fill(found, "POST", "/deliveries", { since: since(query), ...(wanted.by ? { [wanted.by]: wanted.id.trim() } : {}), confirmed: isLarge });
}

function results(answer, query) {
  const counts = {};
  for (const each of answer.deliveries) counts[each.state] = (counts[each.state] ?? 0) + 1;
  const rows = answer.deliveries.filter((each) => !query.state || each.state === query.state);
  return [
    answer.hashes.length ? h("p", { class: "cut" }, "This user's hash in the log: ", answer.hashes.map((each) => [code(each), " "])) : null,
    answer.isComplete ? null : message("wait", h("p", {}, "Only the newest lines are listed. Choose a shorter period to see the others.")),
    answer.deliveries.length === 0 ? empty("No deliveries found.", "Check the id and the period. A line can take a minute to be found, and LogLevel WARNING leaves out deliveries that went well.") : [
      chips("State", "state", query.state ?? "", counts, answer.deliveries.length),
      table("Deliveries", [["Time", "tight"], ["Event"], ["Subscription"], ["State"], ["Timeline"]], rows.map(row)),
    ],
    h("p", { class: "cut" }, `${answer.scanned} scanned.`),
  ];
}

function row(each) {
  const last = each.steps[each.steps.length - 1];
  return {
    key: `${each.messageId ?? each.messageIdHash}-${each.subscription ?? ""}`,
    cells: [
      timeElement(seconds(each.steps[0])),
      h("div", { class: "event-ids" }, h("span", { class: "strong" }, each.type ?? "event"),
        each.messageId ? code(each.messageId) : soft(each.messageIdHash ? `messageId hashed as ${each.messageIdHash}` : "without a messageId"),
        each.user ? soft(`user ${each.user}`) : null),
      each.subscription ?? soft("no match"),
      h("span", { class: "outcome" }, tag(each.state, stateKind(each.state)), last.reason ? h("span", { class: "reason", title: meaningOf(last.reason) }, last.reason) : null),
      h("details", { "data-key": "timeline" }, h("summary", {}, each.steps.length === 1 ? "1 step" : `${each.steps.length} steps`),
        h("ol", { class: "timeline" }, each.steps.map(step))),
    ],
  };
}

const seconds = (each) => Date.parse(each.time) / 1000;

function step(each) {
  const outcome = each.step === "redriven" ? "back on the RetryQueue" : each.outcome ?? (each.step === "dead letter" ? null : "not stored");
  const kind = each.step === "dead letter" ? "bad" : kindOf(each.outcome);
  return h("li", { class: `step ${kind}` },
    h("div", { class: "step-head" }, h("strong", {}, each.step), each.time ? timeElement(seconds(each)) : soft("before the next attempt")),
    h("p", { class: "soft" }, [outcome, each.reason, each.rule, each.status ? `Loops answered ${each.status}` : null, each.attempt ? `attempt ${each.attempt}` : null, each.latencyMs ? `${each.latencyMs} ms` : null, each.function].filter(Boolean).join(" · ")));
}

const stateKind = (state) => (state.startsWith("dead letter") || state.startsWith("not stored") ? "bad" : state.startsWith("waiting") ? "wait" : kindOf(state));
