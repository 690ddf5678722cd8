/* Queues: the dead letters by reason, and the deliveries on the RetryQueue. */

import { get, withQuery } from "../api.js";
import { announce } from "../dialog.js";
import { h } from "../dom.js";
import { count, countdown, sentence, timeElement } from "../format.js";
import { chips, empty, eventTitle, header, message, pager, soft, table, tag, who } from "../parts.js";
import { meaningOf, REASONS } from "../outcomes.js";
import { deadLetters, drop, fixAddress, redrive, redriveResult, redriveSummary } from "../redrive.js";
import { href } from "../router.js";
import { poll, reload } from "../screen.js";

let notice = null;

export const queues = {
  title: () => "Queues",
  uses: () => ["queues", "deliveries"],
  enter() { notice = null; },
  load: ({ query }) => get(withQuery("/queues", { reason: query.reason, page: query.page })),

  render(data, { query }) {
    const all = Object.values(data.reasons).reduce((sum, each) => sum + each, 0);
    return [
      header("Queues", "Dead letters need a person. Deliveries on the RetryQueue are tried again without your help."),
      notice ? message(notice[0], h("p", {}, notice[1])) : null,
      h("section", { "aria-labelledby": "letters-title", id: "letters" },
        h("h2", { id: "letters-title" }, "DeadLetterQueue"),
        all === 0 ? empty("No dead letters.", "Events that can never succeed appear here, with the reason.") : [
          chips("Reason", "reason", query.reason ?? "", data.reasons, all),
          groups(data),
          pager(data, "dead letter"),
        ]),
      data.redrives.length ? h("section", { "aria-labelledby": "redrives-title", id: "redrives" },
        h("h2", { id: "redrives-title" }, "Latest redrives"),
        table("Latest redrives", [["Result"], ["Subscription"], ["messageId", "id"], ["Time", "tight"]], data.redrives.map((each) => ({
          key: `redrive-${each.id}`,
          cells: [
            redriveResult(each), each.name ?? "",
            each.delivery ? h("a", { href: href("delivery", each.delivery) }, each.messageId ?? "Open delivery") : each.messageId ?? "",
            timeElement(each.time),
          ],
        })))) : null,
      h("section", { "aria-labelledby": "waiting-title", id: "waiting" },
        h("h2", { id: "waiting-title" }, "RetryQueue"),
        data.waitingTotal === 0 ? empty("Queue is empty.", "Deliveries wait here while Loops cannot take them.") : [
          waiting(data.waiting),
          data.waitingTotal > data.waiting.length ? h("p", { class: "cut" }, `The next ${data.waiting.length} of ${data.waitingTotal.toLocaleString("en")} are listed.`) : null,
        ]),
    ];
  },
};

function groups(data) {
  const byReason = new Map();
  for (const each of data.deadLetters) byReason.set(each.reason, [...(byReason.get(each.reason) ?? []), each]);
  return [...byReason].map(([reason, letters]) => {
    const total = data.reasons[reason] ?? letters.length;
    return h("div", { class: "group-box", "data-key": `group-${reason}` },
      h("div", { class: "group" },
        h("h3", {}, reason), h("span", { class: "soft" }, deadLetters(total)),
        h("p", { class: "soft meaning" }, meaningOf(reason)),
        total > 1 ? h("div", { class: "actions" },
          letters.some((each) => each.canBeRedriven) ? h("button", { type: "button", class: "small", onclick: () => redriveThese(letters, { reason }) }, `Redrive all ${total}`) : null,
          h("button", { type: "button", class: "small danger", onclick: () => dropThese(total, { reason }) }, `Drop all ${total}`)) : null),
      table(`Dead letters: ${reason}`, [["Event", "letter-cell"], ["Detail"], ["Attempts", "number"], ["Since", "tight"], [h("span", { class: "unseen" }, "Actions"), "tight"]],
        letters.map(row)));
  });
}

function row(each) {
  const about = `${eventTitle(each)} ${who(each)}`.trim();
  return {
    key: `letter-${each.id}`,
    cells: [
      h("div", {},
        h("p", { class: "strong" }, address(each) ? h("a", { href: address(each) }, eventTitle(each)) : eventTitle(each), each.isTest ? [" ", tag("Test event", "plain")] : null),
        who(each) ? h("p", {}, who(each)) : null,
        each.name ? h("p", { class: "soft" }, each.name) : null),
      h("div", {}, sentence(each.status ? `Loops answered ${each.status}` : "", each.detail ?? ""),
        h("details", { "data-key": `content-${each.id}` }, h("summary", {}, "Content"), h("pre", { tabindex: 0, role: "region", "aria-label": "Content" }, each.content))),
      each.attempts === null ? "" : String(each.attempts),
      timeElement(each.buriedAt),
      h("div", { class: "actions" },
        each.canBeRedriven && REASONS[each.reason]?.fix && each.subscription ? h("a", { class: "button small", href: fixAddress({ ...each, letter: each.id }), "aria-label": `Fix mapping for ${about}` }, "Fix mapping") : null,
        each.canBeRedriven ? h("button", { type: "button", class: "small", "aria-label": `Redrive ${about}`, onclick: () => redriveThese([each]) }, "Redrive") : null,
        h("button", { type: "button", class: "small danger", "aria-label": `Drop ${about}`, onclick: () => dropThese(1, { ids: [each.id] }) }, "Drop")),
    ],
  };
}

const address = (each) => (each.delivery ? href("delivery", each.delivery) : each.messageId ? href("event", each.messageId) : null);

function waiting(list) {
  return table("RetryQueue", [["Event", "main-cell"], ["Contact", "who"], ["Subscription"], ["Reason"], ["Attempts", "number"], ["Next attempt", "tight"]], list.map((each) => ({
    key: `waiting-${each.id}`,
    cells: [
      address(each) ? h("a", { href: address(each) }, eventTitle(each)) : eventTitle(each),
      who(each) || soft("unknown"), each.name ?? soft("none"),
      h("span", { title: meaningOf(each.reason) }, each.reason ?? "unreadable"),
      String(each.attempts ?? ""), countdown(each.nextAt),
    ],
  })));
}

async function redriveThese(letters, chosen) {
  await show(async () => {
    const redrives = await redrive(letters, chosen);
    if (redrives === null) return null;
    const [kind, words] = redriveSummary(redrives);
    return [kind, kind === "bad" ? words : `${words} The results appear under Latest redrives.`];
  });
}

async function dropThese(number, chosen) {
  await show(async () => {
    const dropped = await drop(number, chosen);
    return dropped === null ? null : ["plain", `${count(dropped, "dead letter")} dropped.`];
  });
}

async function show(action) {
  try {
    notice = (await action()) ?? notice;
  } catch (error) {
    notice = ["bad", sentence(error.message)];
  }
  if (notice) announce(notice[1]);
  await poll();
  await reload();
}
