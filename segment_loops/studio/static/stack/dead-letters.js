/* Dead letters: read on request; redriven or dropped after a question that names the stack. */

import { announce, ask } from "/studio/js/dialog.js";
import { h } from "/studio/js/dom.js";
import { count, sentence, timeElement } from "/studio/js/format.js";
import { meaningOf, REDRIVES } from "/studio/js/outcomes.js";
import { empty, header, message, soft, table } from "/studio/js/parts.js";
import { fill, page, shown, slot } from "./page.js";

const queues = slot();
const letters = slot();
const change = slot();
let notice = null;

export const deadLetters = {
  title: "Dead letters",
  depends: () => "",
  enter() {
    notice = null;
    fill(queues, "GET", "/queue-counts");
  },
  render() {
    return [
      header("Dead letters", "Deliveries that need a person. They hold whole events, and therefore personal data.",
        h("button", { type: "button", class: "primary", disabled: letters.busy, onclick: read }, letters.answer ? "Read again" : "Read dead letters")),
      change.problem ? message("bad", h("p", {}, change.problem)) : notice ? message("good", h("p", {}, notice)) : null,
      letters.answer || letters.problem || letters.busy ? shown(letters, all)
        : shown(queues, (answer) => empty(`About ${count(answer.deadLetterQueue.ready + answer.deadLetterQueue.hidden, "dead letter")} on the queue.`,
          "Reading them hides them from other readers for a moment. None is lost.")),
    ];
  },
};

const read = () => fill(letters, "POST", "/dead-letters/read", {});

function all(answer) {
  const byReason = new Map();
  for (const each of answer.deadLetters) byReason.set(each.reason, [...(byReason.get(each.reason) ?? []), each]);
  return [
    answer.heldElsewhere ? message("wait", h("p", {}, `About ${count(answer.heldElsewhere, "dead letter")} more cannot be read now: another program has them.`)) : null,
    byReason.size === 0 ? empty("No dead letters.", "Events that can never succeed appear here, with the reason.") : [...byReason].map(group),
  ];
}

function group([reason, list]) {
  return h("section", { class: "group-box", "data-key": `group-${reason}`, "aria-label": reason },
    h("div", { class: "group" },
      h("h2", {}, reason), soft(count(list.length, "dead letter")), h("p", { class: "soft meaning" }, meaningOf(reason)),
      list.length > 1 ? h("div", { class: "actions" }, buttons(list, ` all ${list.length}`, reason)) : null),
    table(`Dead letters: ${reason}`, [["Event", "main-cell"], ["userId", "id"], ["Subscription"], ["Detail"], ["Since", "tight"], [h("span", { class: "unseen" }, "Actions"), "tight"]],
      list.map((each) => ({
        key: `letter-${each.id}`,
        cells: [
          each.eventName ?? each.type ?? "Unreadable event", each.userId ?? "", each.subscription ?? soft("none"),
          h("div", {}, sentence(each.status ? `Loops answered ${each.status}` : "", each.detail ?? ""),
            h("details", { "data-key": "content" }, h("summary", {}, "Content"), h("pre", { tabindex: 0, role: "region", "aria-label": "Content" }, each.content))),
          timeElement(each.buriedAt), h("div", { class: "actions" }, buttons([each], "", each.messageId ?? each.id)),
        ],
      }))));
}

const buttons = (list, words, about) => [
  list.some((each) => each.canBeRedriven) ? h("button", { type: "button", class: "small", disabled: change.busy, "aria-label": `Redrive${words}: ${about}`, onclick: () => redrive(list) }, `Redrive${words}`) : null,
  h("button", { type: "button", class: "small danger", disabled: change.busy, "aria-label": `Drop${words}: ${about}`, onclick: () => drop(list) }, `Drop${words}`),
];

const ids = (list) => list.map((each) => each.id);
const some = (list) => (list.length === 1 ? "this dead letter" : `these ${list.length} dead letters`);

async function redrive(list) {
  const { name, loopsUrl } = page.stack;
  let repeat = false;
  let acceptOld = false;
  if (list.some((each) => each.needsNewIdempotencyKey)) {
    repeat = await ask("Send under a new idempotency key?", "Loops may have processed the event and forgotten its idempotency key. Contacts may get the same email again.", "Yes, send it again");
    if (!repeat && list.length === 1) return;
  }
  if (list.some((each) => each.tooOld)) {
    acceptOld = await ask("Send old events?", "Events that were too old when they arrived may come from a replay. Contacts may get the same email again.", "Yes, send them");
    if (!acceptOld && list.length === 1) return;
  }
  if (!(await ask(`Redrive ${some(list)} in the stack ${name}?`, `It delivers to ${loopsUrl}. Contacts may get email.`, `Redrive in ${name}`))) return;
  const answer = await fill(change, "POST", "/dead-letters/redrive", { stack: name, ids: ids(list), repeat, acceptOld });
  if (answer) await showNotice(Object.entries(answer.results).map(([result, number]) => `${number} ${REDRIVES[result] ?? result}`).join(", ") || "They are no longer on the queue");
}

async function drop(list) {
  const { name } = page.stack;
  if (!(await ask(`Drop ${some(list)} in the stack ${name}?`, `${list.length === 1 ? "The event is" : "The events are"} deleted from the queue. This cannot be undone.`, `Drop in ${name}`, { danger: true }))) return;
  const answer = await fill(change, "POST", "/dead-letters/drop", { stack: name, ids: ids(list) });
  if (answer) await showNotice(`${count(answer.dropped, "dead letter")} dropped`);
}

async function showNotice(words) {
  notice = sentence(words);
  announce(notice);
  await read();
}
