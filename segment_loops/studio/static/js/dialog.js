/* Questions, and short announcements for screen readers. */

import { byId } from "./dom.js";
import { screen } from "./screen.js";

/* Ask a question; `danger` makes the answer look destructive. Cancel has the focus. */
export function ask(title, words, yes, { danger = false } = {}) {
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = words;
  byId("ask-yes").textContent = yes;
  byId("ask-yes").className = danger ? "danger solid" : "primary";
  dialog.returnValue = "";
  dialog.showModal();
  byId("ask-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/* Return true if something may be sent: to the sandbox always, to the real Loops once a person agrees. */
export async function mayReachLoops(title) {
  if (screen.status.sandboxed) return true;
  return ask(title, `This reaches the real Loops at ${screen.status.loopsUrl}. Contacts may get email.`, "Send");
}

export const confirmed = () => !screen.status.sandboxed;

/* Announce a few words to screen readers. */
export function announce(words) {
  const box = byId("announcement");
  if (box.textContent !== words) box.textContent = words;
}

byId("ask-yes").addEventListener("click", () => byId("ask").close("yes"));
byId("ask-no").addEventListener("click", () => byId("ask").close(""));
