/* Deliveries: each event under each subscription, newest first.

   The list stands still while somebody reads it: outcomes change in place, and new deliveries are announced by a button. */

import { call, get, withQuery } from "../api.js";
import { announce, confirmed, mayReachLoops } from "../dialog.js";
import { h } from "../dom.js";
import { FAULTS, TIMES } from "../faults.js";
import { count, sentence, timeElement } from "../format.js";
import { chips, empty, eventTitle, header, message, outcome, pager, search, soft, table, who } from "../parts.js";
import { redriveSummary } from "../redrive.js";
import { go, here, href } from "../router.js";
import { poll, redraw, reload, screen } from "../screen.js";

const RANGES = [["", "Any time"], ["900", "Last 15 minutes"], ["3600", "Last hour"], ["86400", "Last 24 hours"], ["604800", "Last 7 days"]];

let newest = null; // the id of the newest delivery in the list
const selected = new Set();
let notice = null;

export const deliveries = {
  title: () => "Deliveries",
  uses: () => ["deliveries"],

  enter() {
    if (!history.state?.y) newest = null; // Back keeps the rows
    selected.clear();
    notice = null;
  },

  async load({ query }) {
    const { q, outcome: wanted, range, page } = query;
    const data = await get(withQuery("/deliveries", { q, outcome: wanted, range, page, newest }));
    if (newest === null || newest === 0) newest = data.newest;
    return data;
  },

  render(data, { query }) {
    const all = Object.values(data.counts).reduce((sum, each) => sum + each, 0);
    const isFiltered = Boolean(query.q || query.outcome || query.range);
    return [
      header("Deliveries", "One row for each event and subscription, newest first."),
      h("div", { class: "filters" },
        search("Search event, email, userId, messageId", query.q ?? ""),
        h("label", { class: "select" }, h("span", { class: "unseen" }, "Time range"),
          h("select", { id: "range", value: query.range ?? "", onchange: (event) => go(here({ range: event.target.value, page: "" })) },
            RANGES.map(([value, words]) => h("option", { value }, words)))),
        screen.status.can.faults ? simulate() : null),
      chips("Outcome", "outcome", query.outcome ?? "", data.counts, all),
      notice ? message(notice[0], h("p", {}, notice[1])) : null,
      data.new ? h("button", { type: "button", class: "new", "data-key": "new", onclick: showNew }, `${data.new} new`) : null,
      selection(data.deliveries),
      data.deliveries.length ? [rows(data.deliveries), pager(data, "delivery", "deliveries")]
        : isFiltered ? empty("No delivery matches these filters.", h("a", { href: "#/deliveries" }, "Clear the filters"))
        : empty("No event has arrived yet.", h("a", { href: "#/mappings" }, "Send a test event"), " or post one to the webhook."),
      data.cut ? h("p", { class: "cut" }, `Only the latest ${data.cut.toLocaleString("en")} deliveries are remembered. Older ones are not listed.`) : null,
    ];
  },
};

function rows(list) {
  const isAll = list.every((each) => selected.has(each.id));
  const toggle = h("input", {
    type: "checkbox", "aria-label": "Select all rows", checked: isAll, indeterminate: !isAll && list.some((each) => selected.has(each.id)),
    onchange: (event) => { for (const each of list) select(each.id, event.target.checked); redraw(); },
  });
  return h("div", { class: "deliveries" }, table("Deliveries", [[toggle, "check-cell"], ["Event", "main-cell"], ["Contact", "who"], ["Subscription", "subscription"], ["Outcome", "outcome-cell"], ["Attempts", "number"], ["Time", "tight"]],
    list.map((each) => ({
      key: `delivery-${each.id}`,
      class: "linked",
      cells: [
        h("input", { type: "checkbox", "aria-label": `Select ${eventTitle(each)} ${who(each)}`, checked: selected.has(each.id), onchange: (event) => { select(each.id, event.target.checked); redraw(); } }),
        h("a", { class: "row-link", href: href("delivery", each.id) }, eventTitle(each), each.eventName && each.type ? soft(` ${each.type}`) : null),
        who(each) || soft("unknown"),
        each.name ?? soft("none"),
        outcome(each),
        each.attempts ? String(each.attempts) : soft("0"),
        timeElement(each.time),
      ],
    }))));
}

function select(id, isSelected) {
  if (isSelected) selected.add(id);
  else selected.delete(id);
}

function selection(list) {
  if (selected.size === 0) return null;
  return h("div", { class: "selection", role: "group", "aria-label": "Selected deliveries", "data-key": "selection" },
    h("p", {}, `${count(selected.size, "row")} selected`),
    h("button", { type: "button", class: "primary small", onclick: retry }, `Retry ${selected.size}`),
    h("button", { type: "button", class: "small", onclick: () => copy(list) }, "Copy messageIds"),
    h("button", { type: "button", class: "small quiet", onclick: () => { selected.clear(); redraw(); } }, "Clear selection"));
}

/* Redrive the dead letters of the selected rows, and post the other events once more. */
async function retry() {
  if (!(await mayReachLoops("Retry these deliveries at the real Loops?"))) return;
  const { ok, answer } = await call("POST", "/deliveries/retry", { ids: [...selected], confirmed: confirmed() });
  if (!ok) notice = ["bad", sentence(answer.message)];
  else {
    const [kind, words] = answer.redrives.length ? redriveSummary(answer.redrives) : ["good", ""];
    notice = [kind, [words, answer.sent ? `${answer.sent} sent again.` : ""].filter(Boolean).join(" ") || "Nothing to retry."];
  }
  selected.clear();
  announce(notice[1]);
  newest = null;
  await reload();
}

async function copy(list) {
  const ids = list.filter((each) => selected.has(each.id)).map((each) => each.messageId).filter(Boolean);
  await navigator.clipboard.writeText([...new Set(ids)].join("\n"));
  announce("Copied.");
}

async function showNew() {
  newest = null;
  window.scrollTo(0, 0);
  if (screen.route.query.page) go(here({ page: "" }));
  else await reload();
}

function simulate() {
  return h("details", { class: "simulate", "data-key": "simulate" }, h("summary", {}, "Simulate a failure"),
    h("form", { id: "faults", class: "card", onsubmit: addFault },
      h("div", { class: "field" }, h("label", { for: "fault" }, "Loops"), h("select", { id: "fault" }, FAULTS.map(([words], index) => h("option", { value: index }, words)))),
      h("div", { class: "field" }, h("label", { for: "times" }, "For"), h("select", { id: "times" }, TIMES.map(([words], index) => h("option", { value: index }, words)))),
      h("div", { class: "actions start" },
        h("button", { type: "submit", class: "primary" }, "Simulate"),
        h("button", { type: "button", disabled: screen.status.sqsIsDown, onclick: async () => { await call("POST", "/faults/sqs"); await poll(); } }, "Simulate an SQS outage"))));
}

async function addFault(event) {
  event.preventDefault();
  const { fault, times } = event.target.elements;
  await call("POST", "/faults", { ...FAULTS[fault.value][1], times: TIMES[times.value][1] });
  await poll();
}
