/* One event: its timeline from arrival to the result in Loops, and everything that was decided on the way. */

import { call } from "../api.js";
import { announce, confirmed, mayReachLoops } from "../dialog.js";
import { h } from "../dom.js";
import { clockTime, count, countdown, dateTime, sentence, text } from "../format.js";
import { block, code, conditions, copyButton, curlOf, empty, eventTitle, header, jsonBlock, members, message, outcome, requestBlock, soft, tag, who, whyNot } from "../parts.js";
import { meaningOf, OUTCOMES, REASONS } from "../outcomes.js";
import { drop, fixAddress, redrive, redriveResult } from "../redrive.js";
import { href } from "../router.js";
import { reload, screen } from "../screen.js";

let notice = null;

export const eventPage = {
  under: "deliveries",
  title: (route, data) => (data?.ok ? eventTitle(data.event) : "Event"),
  uses: () => ["deliveries", "queues", "contacts"],
  enter() { notice = null; },

  async load({ name, id }) {
    const path = name === "delivery" ? `/timeline/delivery/${encodeURIComponent(id)}` : `/timeline/message/${encodeURIComponent(id)}`;
    const { ok, answer } = await call("GET", path);
    return { ok, event: answer, message: answer.message };
  },

  render({ ok, event, message: problem }, route) {
    const back = h("p", { class: "crumb" }, h("a", { href: "#/deliveries" }, "Deliveries"));
    if (!ok) return [back, header("Event"), empty(problem, h("a", { href: "#/deliveries" }, "All deliveries"))];
    const opened = route.name === "delivery" ? Number(route.id) : null;
    const latest = event.deliveries.find((each) => each.id === opened) ?? event.deliveries.at(-1);
    return [
      back,
      header(eventTitle(event), [event.type, event.messageId].filter(Boolean).join(" · "),
        event.event ? copyButton("Copy event", event.event) : null,
        latest?.preview?.request ? copyButton("Copy as curl", () => curlOf(latest.preview.request)) : null,
        event.event && screen.status.can.send ? h("a", { class: "button", href: href("mappings", latest?.subscription ?? "", latest ? { event: latest.id } : { message: event.messageId }) }, "Use in Mappings") : null,
        latest && event.event && screen.status.can.send ? h("button", { type: "button", class: "primary", onclick: () => sendAgain(latest.id) }, "Send again") : null),
      notice ? message(notice[0], notice[1]) : null,
      event.missing.length ? message("wait", event.missing.map((each) => h("p", {}, sentence("Not shown", each)))) : null,
      h("div", { class: "columns event" },
        h("section", { class: "column", "aria-labelledby": "timeline-title" }, h("h2", { id: "timeline-title" }, "Timeline"), timeline(event, opened)),
        h("section", { class: "column", "aria-labelledby": "data-title" }, h("h2", { id: "data-title" }, "Data"), data(event, latest))),
    ];
  },
};

/* The steps, the oldest first; steps of one arrival are together. */
function timeline(event, opened) {
  const arrivals = grouped(event.deliveries, (each) => `${each.time} ${each.path}`);
  const steps = [...arrivals.values()].map((records) => [records[0].time, arrival(event, records, opened)]);
  for (const each of event.redrives) steps.push([each.time, step("Redrive", each.time, h("p", {}, redriveResult(each)))]);
  steps.sort(([a], [b]) => a - b);
  return h("ol", { class: "timeline" },
    steps.map(([, made]) => made),
    event.waiting.map((each) => step("On the RetryQueue", null,
      h("p", {}, "Next attempt ", countdown(each.nextAt), `, ${count(each.attempts ?? 0, "attempt")} so far. `, h("a", { href: "#/queues" }, "Open Queues")), "wait")),
    event.deadLetters.map((each) => deadLetter(event, each)),
    inLoops(event));
}

function grouped(list, key) {
  const groups = new Map();
  for (const each of list) groups.set(key(each), [...(groups.get(key(each)) ?? []), each]);
  return groups;
}

const step = (title, time, content, kind = "plain", current = false) => h("li", { class: `step ${kind}`, "aria-current": current ? "true" : null },
  h("div", { class: "step-head" }, h("h3", {}, title), time ? h("time", { title: dateTime(time) }, clockTime(time)) : null), content);

function arrival(event, records, opened) {
  const [first] = records;
  const words = first.path === "RetryQueue" ? "From the RetryQueue" : `Received at ${first.path}`;
  const answered = first.status === null ? null : h("p", { class: "soft" }, `Answered ${first.status}`);
  const tried = new Set(records.map((each) => each.subscription));
  const others = first.explanations.filter((each) => !tried.has(each.subscription));
  return [
    step(words, first.time, [answered, records.every((each) => each.outcome === "filtered") ? h("p", {}, outcome(first), " ", soft(OUTCOMES.filtered.meaning)) : null]),
    records.filter((each) => each.outcome !== "filtered").map((each) => delivery(each, opened)),
    others.length ? step("Subscriptions that did not match", null,
      h("ul", { class: "whys" }, others.map((each) => why(each, first)))) : null,
  ];
}

/* Why a subscription did not match: the condition that decided, and the others on demand. */
function why(explanation, record) {
  return h("li", {},
    h("p", {}, h("a", { href: href("mappings", explanation.subscription, { event: record.id }) }, explanation.name), " ",
      soft(explanation.isRun ? whyNot(explanation) : `${record.path} does not run ${explanation.action}.`)),
    explanation.enabled && explanation.isRun && explanation.conditions.length > 1 ? h("details", { "data-key": `why-${record.id}-${explanation.subscription}` }, h("summary", {}, "All conditions"), conditions(explanation.conditions)) : null);
}

function delivery(each, opened) {
  const title = each.name ? [`${each.name} `, soft(each.action ?? "")] : "Request";
  const reason = each.reason ? meaningOf(each.reason) : OUTCOMES[each.outcome]?.meaning;
  return step(h("span", {}, title), null, [
    h("p", {}, outcome(each)),
    reason ? h("p", { class: "soft" }, reason) : null,
    each.detail ? h("p", { class: "detail" }, sentence(each.detail)) : null,
    each.outcome === "rejected" && REASONS[each.reason]?.fix && each.subscription
      ? h("p", {}, h("a", { href: fixAddress({ ...each, delivery: each.id }) }, "Fix mapping")) : null,
    attempts(each),
    each.preview?.conditions?.length ? h("details", { "data-key": `conditions-${each.id}` }, h("summary", {}, "Why it matched"), conditions(each.preview.conditions)) : null,
  ], OUTCOMES[each.outcome]?.kind, each.id === opened);
}

function attempts(each) {
  if (each.attempts === 0) return h("p", { class: "soft" }, "No request sent.");
  if (each.calls.length === 0) return h("p", { class: "soft" }, `${count(each.attempts, "attempt")}. Loops' responses are not recorded here.`);
  return h("ol", { class: "attempts" }, each.calls.map((call, index) => h("li", {},
    h("span", {}, `Attempt ${index + 1}`), " ", call.status === null ? tag("connection reset", "bad") : tag(`Loops answered ${call.status}`, call.status < 300 || call.status === 409 ? "good" : "bad"),
    " ", h("time", { title: dateTime(call.time) }, clockTime(call.time)), call.fault ? soft(" simulated") : null,
    call.body === null ? null : h("details", { "data-key": `response-${each.id}-${index}` }, h("summary", {}, "Response"), code(text(call.body))))));
}

function deadLetter(event, each) {
  const record = event.deliveries.findLast((one) => one.subscription === each.subscription);
  return step("Dead letter", each.buriedAt, [
    record?.reason === each.reason ? null : [ // else the delivery says it
      h("p", {}, tag(each.reason, "bad")),
      meaningOf(each.reason) ? h("p", { class: "soft" }, meaningOf(each.reason)) : null,
      each.detail ? h("p", { class: "detail" }, sentence(each.status ? `Loops answered ${each.status}: ${each.detail}` : each.detail)) : null,
    ],
    h("div", { class: "actions start" },
      each.canBeRedriven && REASONS[each.reason]?.fix ? h("a", { class: "button primary small", href: fixAddress({ ...each, delivery: record?.id, letter: each.id }) }, "Fix, save, redrive") : null,
      each.canBeRedriven ? h("button", { type: "button", class: "small", onclick: () => attempt(() => redrive([each])) }, "Redrive") : null,
      h("button", { type: "button", class: "small danger", onclick: () => attempt(() => drop(1, { ids: [each.id] })) }, "Drop")),
  ], "bad");
}

async function attempt(action) {
  try {
    await action();
    notice = null;
  } catch (error) {
    notice = ["bad", sentence(error.message)];
  }
  await reload();
}

function inLoops({ contact, loopsEvents }) {
  return [
    (loopsEvents ?? []).map((each) => step("Processed by Loops", each.time, h("p", {}, h("a", { href: href("events", "", { q: each.name }) }, each.name), " ",
      each.occurrence > 1 ? tag(`Sent ${each.occurrence} times`, "bad") : null), "good")),
    contact ? step("Contact in Loops", null, h("p", {}, h("a", { href: href("contact", contact.id) }, contact.email), " ", soft(contact.userId ?? "")), "good") : null,
  ];
}

function data(event, latest) {
  const known = { userId: event.userId, email: event.email };
  return [
    event.event ? block("Event", event.event, { open: event.event.split("\n").length <= 40 }) : message("plain", "This stack does not hold the text of events."),
    who(event) ? members(known, "known") : null,
    latest?.preview?.mapped !== undefined && latest?.preview?.mapped !== null ? jsonBlock("Mapped payload", latest.preview.mapped, { open: false }) : null,
    latest?.preview?.request ? requestBlock(latest.preview.request) : null,
    latest?.idempotencyKey ? h("p", { class: "soft" }, "Idempotency key ", code(latest.idempotencyKey)) : null,
  ];
}

/* Post the event as a retry of Segment does: Loops processes it once. */
async function sendAgain(id) {
  if (!(await mayReachLoops("Send this event to the real Loops again?"))) return;
  const { ok, answer } = await call("POST", `/deliveries/${id}/again`, { confirmed: confirmed() });
  if (!ok) notice = ["bad", sentence(answer.message)];
  else {
    const isKnown = (each) => each.outcome === "delivered" && (each.attempts === 0 || each.calls.at(-1)?.status === 409);
    const words = answer.deliveries.map((each) => `${each.outcome}${isKnown(each) ? ", Loops has it already" : ""}${each.reason ? `, ${each.reason}` : ""}`);
    notice = [answer.status < 202 ? "good" : answer.status < 300 ? "wait" : "bad", sentence(`Sent again, answered ${answer.status}`, words.join("; "))];
  }
  announce(typeof notice[1] === "string" ? notice[1] : "");
  await reload();
}
