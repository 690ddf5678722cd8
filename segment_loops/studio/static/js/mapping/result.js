/* The result of the sample event under the selected subscription. */

import { h } from "../dom.js";
import { sentence } from "../format.js";
import { jsonBlock, message, requestBlock, soft, tag } from "../parts.js";
import { meaningOf } from "../outcomes.js";
import { draft, work } from "./work.js";

export function result() {
  if (!draft()) return null;
  return h("section", { class: "card", id: "result", "aria-labelledby": "result-title" }, h("h2", { id: "result-title" }, "Result"), content());
}

function content() {
  if (work.eventProblem) return message("bad", sentence("The sample event is invalid", work.eventProblem));
  if (work.problems.some((each) => each.draft === work.selected)) return h("p", { class: "soft" }, "Correct the errors to see the result.");
  const preview = work.previews[work.selected];
  if (!preview) return h("p", { class: "soft" }, "Checking…");
  const [words, kind] = preview.matches ? ["Matches", "good"] : preview.enabled ? ["No match", "plain"] : ["Disabled", "plain"];
  return [
    h("p", { class: "verdict" }, tag(words, kind), preview.enabled ? null : soft("Nothing is sent until you enable the subscription.")),
    preview.matches && preview.mapped !== null ? jsonBlock("Mapped payload", preview.mapped, { open: !preview.request }) : null,
    preview.reason ? message("bad", h("p", {}, sentence("Rejected", [preview.reason, preview.detail].filter(Boolean).join(", "))), h("p", {}, meaningOf(preview.reason))) : null,
    preview.request ? requestBlock(preview.request) : null,
  ];
}
