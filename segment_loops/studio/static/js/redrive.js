/* Redriving and dropping dead letters, with the questions that must come first. */

import { call } from "./api.js";
import { ask, confirmed, mayReachLoops } from "./dialog.js";
import { h } from "./dom.js";
import { count, sentence } from "./format.js";
import { kindOf, REDRIVES } from "./outcomes.js";
import { href } from "./router.js";

/* Redrive dead letters, chosen by `ids` or by `reason`; return the redrives, or null if a person declined. */
export async function redrive(letters, chosen = { ids: letters.map((each) => each.id) }) {
  let repeat = false;
  let acceptOld = false;
  if (letters.some((each) => each.needsNewIdempotencyKey)) {
    repeat = await ask("Send under a new idempotency key?", "Loops may have processed the event and forgotten its idempotency key. Contacts may get the same email again.", "Redrive");
    if (!repeat && letters.length === 1) return null;
  }
  if (letters.some((each) => each.tooOld)) {
    acceptOld = await ask("Send old events?", "Events that were too old when they arrived may come from a replay. Contacts may get the same email again.", "Redrive");
    if (!acceptOld && letters.length === 1) return null;
  }
  if (!(await mayReachLoops("Redrive to the real Loops?"))) return null;
  const { ok, answer } = await call("POST", "/queues/redrive", { ...chosen, repeat, acceptOld, confirmed: confirmed() });
  if (!ok) throw new Error(answer.message);
  return answer.redrives;
}

/* Drop dead letters after a question; return the number dropped, or null if a person declined. */
export async function drop(number, chosen) {
  const what = number === 1 ? "this dead letter" : `${number} dead letters`;
  if (!(await ask(`Drop ${what}?`, `${number === 1 ? "The event is" : "The events are"} deleted from the queue. This cannot be undone.`, "Drop", { danger: true }))) return null;
  const { ok, answer } = await call("POST", "/queues/drop", chosen);
  if (!ok) throw new Error(answer.message);
  return answer.dropped;
}

/* A redrive and the result of the attempt that followed. */
export function redriveResult(each) {
  const isWaiting = each.result === "redriven" && !each.outcome;
  const kind = each.result !== "redriven" ? "bad" : isWaiting ? "wait" : kindOf(each.outcome);
  const words = each.result !== "redriven" ? (REDRIVES[each.result] ?? each.result)
    : isWaiting ? "redriven, waiting for the result"
    : each.outcome === "rejected" ? "rejected again" : each.outcome === "queued" ? "queued again" : each.outcome;
  return h("span", { class: `redrive ${kind}` }, sentence(capital(words), each.reason ?? "", each.detail ?? ""));
}

/* A line about several redrives. It reports no success, because the attempts are still to come. */
export function redriveSummary(redrives) {
  if (redrives.length === 0) return ["bad", "The dead letters are no longer on the queue."];
  const failed = redrives.filter((each) => each.result !== "redriven");
  const parts = Object.entries(counted(redrives)).map(([result, number]) => `${number} ${REDRIVES[result] ?? result}`);
  return [failed.length === 0 ? "plain" : failed.length === redrives.length ? "bad" : "wait", sentence(parts.join(", "))];
}

function counted(redrives) {
  const counts = {};
  for (const each of redrives) counts[each.result] = (counts[each.result] ?? 0) + 1;
  return counts;
}

const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/* The place where a dead letter or a rejected delivery can be fixed. */
export function fixAddress({ subscription, delivery, messageId, detail, letter }) {
  const field = /^([A-Za-z]\w*)(?:[./\[]\S*)?:/.exec(detail ?? "")?.[1];
  return href("mappings", subscription, { event: delivery ?? "", message: delivery ? "" : messageId ?? "", field: field ?? "", letter: letter ?? "" });
}

export const deadLetters = (number) => count(number, "dead letter");
