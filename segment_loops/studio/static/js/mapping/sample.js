/* The sample event, and what happens to it when it is sent. */

import { call, get } from "../api.js";
import { mayReachLoops } from "../dialog.js";
import { h } from "../dom.js";
import { values } from "../form/values.js";
import { clockTime, pretty, sentence, text } from "../format.js";
import { block, eventTitle, message, soft, who } from "../parts.js";
import { kindOf, meaningOf } from "../outcomes.js";
import { href } from "../router.js";
import { screen } from "../screen.js";
import { codeEditor } from "./code-editor.js";
import { tabs } from "./tabs.js";
import { check, edited, hasErrors, isDirty, send, useEvent, useSample, work } from "./work.js";

export function sample() {
  const problem = work.eventProblem ? [{ message: work.eventProblem, line: lineOf(work.eventProblem) }] : [];
  const names = work.samples.map((each) => `events/${each.name}`);
  const { source } = work.sample;
  const isListed = names.includes(source) || source === "latest" || work.received.some((each) => each.source === source);
  const { chosen, list, panel } = tabs("sample", "Show the event as", [["values", "Values"], ["json", "JSON"]]);
  return h("section", { class: "card", "aria-labelledby": "sample-title" },
    h("div", { class: "card-head" }, h("h2", { id: "sample-title" }, "Sample event"), list,
      h("select", { id: "sample", "aria-label": "Sample event source", value: source, onchange: choose },
        h("optgroup", { label: "Samples" }, names.map((each) => h("option", { value: each }, each))),
        h("optgroup", { label: "Received" },
          h("option", { value: "latest" }, "Latest received event"),
          work.received.map((each) => h("option", { value: each.source, "data-key": each.source }, each.label))),
        isListed ? null : h("option", { value: source }, source === "custom" ? "Custom" : source))),
    h("div", { ...panel, "data-key": `panel-${chosen}` }, chosen === "values" && !problem.length ? values() : codeEditor({ id: "event", label: "Event", hidden: true, value: work.sample.text, rows: [6, 12], problems: problem, oninput: (event) => { useEvent(event.target.value, "custom"); edited(); } })),
    screen.status.can.send ? h("div", { class: "actions start" },
      h("button", { type: "button", class: isDirty() ? "" : "primary", id: "send", disabled: hasErrors() || Boolean(work.eventProblem) || work.sending, onclick: () => send(() => mayReachLoops("Send this event to the real Loops?")) },
        isDirty() ? "Save and send test event" : "Send test event"),
      soft(screen.status.sandboxed ? "Delivers to the sandbox." : "Delivers to the real Loops.")) : null,
    h("div", { id: "answer" }, work.sending ? h("p", { class: "soft" }, "Sending…") : work.sent ? answer(work.sent) : null));
}

/* Fetch the latest deliveries, whose events can be samples. */
export async function readReceived() {
  const { ok, answer } = await call("GET", "/deliveries");
  const seen = new Set();
  work.received = (ok ? answer.deliveries : []).filter((each) => each.messageId && each.type && !seen.has(each.messageId) && seen.add(each.messageId)).map((each) => ({
    id: each.id, source: `Delivery ${each.id}`, label: [eventTitle(each), who(each), clockTime(each.time)].filter(Boolean).join(", "),
  }));
}

async function choose(event) {
  const chosen = event.target.value;
  if (chosen === "latest") {
    const { deliveries } = await get("/deliveries");
    useEvent(deliveries.length ? (await get(`/deliveries/${deliveries[0].id}`)).event : "", "latest");
  } else if (chosen.startsWith("Delivery ")) useEvent((await get(`/deliveries/${chosen.slice("Delivery ".length)}`)).event, chosen);
  else if (chosen !== "custom") useSample(work.samples.find((each) => `events/${each.name}` === chosen));
  await check();
}

/* The parser counts characters. */
function lineOf(words) {
  const at = /at character (\d+)/.exec(words) ?? /\(char (\d+)\)/.exec(words);
  const line = /line (\d+)/.exec(words);
  return line ? Number(line[1]) : at ? work.sample.text.slice(0, Number(at[1])).split("\n").length : null;
}

function answer(sent) {
  if (sent.error) return message("bad", sentence(sent.error));
  return [
    h("p", { class: "soft" }, sentence(`The webhook answered ${sent.status}`, sent.answer.reason)),
    sent.deliveries.map((each) => h("div", { class: "sent" },
      message(kindOf(each.outcome), h("p", {}, sentence(each.name ? `${capital(each.outcome)} by “${each.name}”` : `${capital(each.outcome)}: no subscription matches`,
        each.reason ? [each.reason, each.detail].filter(Boolean).join(", ") : "")),
      each.reason && meaningOf(each.reason) ? h("p", {}, meaningOf(each.reason)) : null,
      h("p", {}, h("a", { href: href("delivery", each.id) }, "Open delivery"))),
      response(each.calls.at(-1)))),
    sent.dropped ? h("p", { class: "soft" }, "Test events leave no dead letter.") : null,
  ];
}

function response(call) {
  if (!call) return h("p", { class: "soft" }, "No request sent.");
  const words = call.status === null ? "The connection to Loops was reset" : `Loops answered ${call.status}`;
  return call.body === null ? h("p", {}, sentence(words)) : block(words, typeof call.body === "string" ? text(call.body) : pretty(call.body), { key: "response" });
}

const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);
