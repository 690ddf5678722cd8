"use strict";

/* The page only shows and asks: what matches, what is mapped and what is sent is said by the program behind it.
   Everything from there is put in as text, never as HTML. */

const API = "/studio/api";
const LOOK_AGAIN = 1000; // milliseconds
const TYPING = 250;
const LINES = { mapping: [6, 24], event: [6, 11] }; // of an editor that grows with its text

const $ = (id) => document.getElementById(id);

/* Talking to the program */

class Lost extends Error {}

async function call(method, path, body) {
  const options = { method };
  if (body !== undefined || method !== "GET") {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body ?? {});
  }
  try {
    const response = await fetch(API + path, options);
    const answer = await response.json();
    $("lost").hidden = true;
    return { ok: response.ok, status: response.status, answer };
  } catch {
    $("lost").hidden = false;
    throw new Lost();
  }
}

// What a person asked for just then did not happen; the banner tells why.
window.addEventListener("unhandledrejection", (event) => { if (event.reason instanceof Lost) event.preventDefault(); });

const get = async (path) => (await call("GET", path)).answer;

/* Making elements */

function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const pretty = (value) => JSON.stringify(value, null, 2);
const json = (value, className = "tall") => h("pre", { class: className, tabindex: 0 }, pretty(value));
const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/* Shows new content only where it differs, so that neither the focus nor an opened row is lost by looking again. */
const shown = new Map();
function show(id, data, make) {
  const mark = JSON.stringify(data);
  if (shown.get(id) === mark) return;
  shown.set(id, mark);
  const box = $(id);
  const key = box.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = new Set([...box.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  box.replaceChildren(...[make(data)].flat());
  for (const each of box.querySelectorAll("details")) each.open = open.has(each.dataset.key);
  if (key) box.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

function table(headings, rows) {
  const head = headings.map(([label, className]) => h("th", { scope: "col", class: className }, label));
  const body = rows.map((cells) =>
    h("tr", {}, cells.map((cell, index) =>
      h("td", { class: headings[index][1], "data-label": headings[index][0] }, cell))));
  return h("div", { class: "table" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

const nothing = (words) => h("p", { class: "empty" }, words);
const message = (kind, words) => h("p", { class: `message ${kind}` }, words);

const KINDS = { delivered: "good", queued: "wait", rejected: "bad", denied: "bad" };
const tag = (word, kind = KINDS[word] ?? "") => h("span", { class: `tag ${kind}` }, word);

/* Times: the program's clock counts, which may not be this machine's. */

let now = Date.now() / 1000;
const clockTime = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
const dateTime = (seconds) => `${new Date(seconds * 1000).toLocaleDateString("en-CA")} ${clockTime(seconds)}`;

function span(seconds) {
  const s = Math.max(Math.round(seconds), 0);
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 129600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}

function countdown(seconds) {
  return h("span", { "data-next": seconds }, until(seconds));
}
const until = (seconds) => (seconds <= now ? "any moment" : `in ${span(seconds - now)}`);
function tick() {
  for (const each of document.querySelectorAll("[data-next]")) {
    const words = until(Number(each.dataset.next));
    if (each.textContent !== words) each.textContent = words;
  }
}

/* Asking */

function ask(title, words, yes) {
  const dialog = $("ask");
  $("ask-title").textContent = title;
  $("ask-text").textContent = words;
  $("ask-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  $("ask-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
$("ask-yes").addEventListener("click", () => $("ask").close("yes"));
$("ask-no").addEventListener("click", () => $("ask").close(""));

/* Whether something may be sent: to the sandbox always, to the real Loops when a person says so. */
async function mayReachLoops(title) {
  if (status.sandboxed) return true;
  const words = `This goes to the real Loops at ${status.loopsUrl}. It writes there, and may mail people.`;
  return ask(title, words, "Send it");
}

/* What is so all the time */

let status = { sandboxed: true, faults: [], deliveries: -1 };

async function lookAtStatus() {
  status = await get("/status");
  now = status.time;
  const where = status.sandboxed ? "Loops is the sandbox" : `Loops is the real one: ${status.loopsUrl}`;
  if ($("where").textContent !== where) $("where").textContent = where;
  $("where").classList.toggle("real", !status.sandboxed);
  $("faults").hidden = !status.sandboxed;
  const troubles = [...status.faults.map(inWords), ...(status.sqsIsDown ? ["SQS is down"] : [])];
  $("trouble").hidden = troubles.length === 0;
  const words = `Made to fail: ${troubles.join("; ")}.`;
  if (troubles.length && $("trouble-text").textContent !== words) $("trouble-text").textContent = words;
  $("stop-sqs").disabled = Boolean(status.sqsIsDown);
}

function inWords(fault) {
  const what = {
    status: `answers ${fault.status}`,
    reset: fault.processed ? "takes the call and resets the connection" : "resets the connection",
    delay: `answers after ${fault.seconds} s`,
    garbage: "answers with a page of HTML",
    truncated: "breaks off its answer",
    trickle: "answers byte by byte",
  }[fault.kind];
  const times = fault.times === null ? "every call" : fault.times === 1 ? "the next call" : `the next ${fault.times} calls`;
  return `Loops ${what} for ${times}`;
}

$("trouble-end").addEventListener("click", async () => {
  await call("DELETE", "/faults");
  await look();
});

$("faults").addEventListener("submit", async (event) => {
  event.preventDefault();
  const times = $("times").value;
  await call("POST", "/faults", { ...JSON.parse($("fault").value), times: times ? Number(times) : null });
  await look();
});

$("stop-sqs").addEventListener("click", async () => {
  await call("POST", "/faults/sqs");
  await look();
});

/* Editors with numbered lines */

const editors = ["mapping", "event"].map((id) => {
  const area = $(id);
  const gutter = area.previousElementSibling;
  area.addEventListener("scroll", () => { gutter.style.transform = `translateY(${-area.scrollTop}px)`; });
  return { area, gutter, count: 0 };
});

function drawLines(area, faulty) {
  const editor = editors.find((each) => each.area === area);
  const count = area.value.split("\n").length;
  if (editor.count !== count) {
    editor.gutter.replaceChildren(...Array.from({ length: count }, (_, index) => h("div", {}, String(index + 1))));
    editor.count = count;
    area.rows = Math.min(Math.max(count + 1, LINES[area.id][0]), LINES[area.id][1]);
  }
  [...editor.gutter.children].forEach((line, index) => line.classList.toggle("faulty", faulty.has(index + 1)));
}

function goToLine(area, line) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  area.scrollTop = Math.max(0, (line - 6) * (area.scrollHeight / Math.max(lines.length, 1)));
}

/* The parts of a fault's text that a caret points into keep their columns. */
function faultText(words) {
  const [first, ...rest] = words.split("\n");
  return rest.length ? [first, h("span", { class: "mono" }, rest.map((line) => line.replace(/^ {4}/, "")).join("\n"))] : [first];
}

function showProblems(id, area, problems, warnings = []) {
  area.setAttribute("aria-invalid", String(problems.length > 0));
  const shown = [...problems, ...warnings.map((each) => ({ ...each, warning: true }))];
  show(id, shown, () => shown.map((problem) => h("li", { class: problem.warning ? "warning" : "" },
    problem.line && area.classList.contains("code") && area !== $("trigger")
      ? h("button", { type: "button", "data-key": `line-${problem.line}`, onclick: () => goToLine(area, problem.line) }, `Line ${problem.line}`)
      : null,
    problem.warning ? `Warning: ${problem.message}` : faultText(problem.message))));
  if (editors.some((each) => each.area === area)) drawLines(area, new Set(problems.map((each) => each.line)));
}

/* Mappings */

const work = { drafts: [], saved: "", revision: "", actions: [], samples: [], selected: 0, problems: [], warnings: [], previews: [], asked: 0, event: null, ready: false };
const isDirty = () => JSON.stringify(work.drafts) !== work.saved;
const draft = () => work.drafts[work.selected];

function takeMappings(mappings) {
  Object.assign(work, { drafts: mappings.drafts, revision: mappings.revision, actions: mappings.actions });
  work.saved = JSON.stringify(work.drafts);
  work.selected = Math.min(work.selected, Math.max(work.drafts.length - 1, 0));
  $("file").textContent = mappings.file;
  $("mappings-fault").hidden = !mappings.problem;
  $("workbench").hidden = Boolean(mappings.problem);
  $("mappings-fault").textContent = mappings.problem ? `Fix the file in an editor first:\n${mappings.problem}` : "";
  $("action").replaceChildren(...work.actions.map((each) => h("option", { value: each.slug }, each.title)));
  fillEditor();
}

async function openMappings() {
  if (!work.ready) {
    const mappings = await get("/mappings");
    work.samples = mappings.samples;
    $("sample").replaceChildren(
      ...work.samples.map((each, index) => h("option", { value: index }, `events/${each.name}`)),
      h("option", { value: "last" }, "the last one received"),
      h("option", { value: "own", hidden: true }, "your own"));
    if (!$("event").value) {
      const first = work.samples.findIndex((each) => each.name === "identify");
      $("sample").value = String(Math.max(first, 0));
      $("event").value = work.samples[Math.max(first, 0)]?.event ?? "";
    }
    takeMappings(mappings);
    work.ready = true;
  }
  await check();
}

function fillEditor() {
  const current = draft();
  $("editor").hidden = !current;
  if (!current) return;
  $("name").value = current.name;
  $("action").value = current.action;
  $("enabled").checked = current.enabled;
  $("trigger").value = current.trigger;
  $("mapping").value = current.mapping;
  drawLines($("mapping"), new Set());
}

function readEditor() {
  const current = draft();
  if (!current) return;
  current.name = $("name").value;
  current.action = $("action").value;
  current.enabled = $("enabled").checked;
  current.trigger = $("trigger").value;
  current.mapping = $("mapping").value;
}

let typing;
function typed() {
  readEditor();
  showSaving();
  drawLines($("mapping"), new Set(mine("mapping").map((each) => each.line)));
  drawLines($("event"), new Set());
  clearTimeout(typing);
  typing = setTimeout(check, TYPING);
}

const mine = (part, list = work.problems) => list.filter((each) => each.draft === work.selected && each.part === part);

async function check() {
  clearTimeout(typing);
  const number = ++work.asked;
  const { ok, answer } = await call("POST", "/preview", { drafts: work.drafts, event: $("event").value });
  if (number !== work.asked) return; // a later one is on its way
  if (!ok) { $("save-note").textContent = answer.message; return; }
  Object.assign(work, { problems: answer.problems, warnings: answer.warnings, previews: answer.previews, event: answer.event });
  showMappings();
}

function showMappings() {
  const known = new Set(["trigger", "mapping"]);
  const others = (list) => list.filter((each) => (each.draft === work.selected || each.draft === null) && !known.has(each.part))
    .map((each) => ({ ...each, line: null }));
  showProblems("problems-name", $("name"), others(work.problems), others(work.warnings));
  showProblems("problems-trigger", $("trigger"), mine("trigger"));
  showProblems("problems-mapping", $("mapping"), mine("mapping"), mine("mapping", work.warnings));
  showProblems("problems-event", $("event"), work.event ? [{ message: work.event, line: lineOf(work.event) }] : []);
  showPicks();
  showResult();
  showSaving();
}

/* The events' reader counts characters. */
function lineOf(words) {
  const at = /at character (\d+)/.exec(words);
  return at ? $("event").value.slice(0, Number(at[1])).split("\n").length : null;
}

function showPicks() {
  const picks = work.drafts.map((each, index) => ({
    name: each.name || each.action,
    current: index === work.selected,
    faults: work.problems.filter((problem) => problem.draft === index).length,
    matches: work.previews[index]?.matches,
    enabled: each.enabled,
  }));
  show("picks", picks, () => picks.map((pick, index) => {
    const state = pick.faults ? tag(pick.faults === 1 ? "1 fault" : `${pick.faults} faults`, "bad")
      : !pick.enabled ? tag("disabled") : pick.matches ? tag("takes the event", "good") : tag("does not take it");
    return h("li", {}, h("button", { type: "button", "data-key": `pick-${index}`, "aria-current": pick.current, onclick: () => select(index) },
      h("span", {}, pick.name), state));
  }));
}

function showResult() {
  const preview = work.previews[work.selected] ?? null;
  const faulty = work.problems.some((each) => each.draft === work.selected);
  show("result", { preview, faulty, event: work.event, some: Boolean(draft()) }, () => {
    if (!draft()) return nothing("There is no subscription: every event would be filtered.");
    if (faulty) return [h("h2", {}, "What becomes of it"), h("p", { class: "hint" }, "Mend the faults, and it shows here.")];
    if (!preview) return [h("h2", {}, "What becomes of it"), h("p", { class: "hint" }, work.event ? "There is no event to map." : "")];
    return [h("h2", {}, "What becomes of it"), ...steps(preview)];
  });
}

function steps(preview) {
  const why = preview.matches ? ["The trigger matches", "good"] : preview.enabled ? ["The trigger does not match", ""] : ["The subscription is disabled", ""];
  return [
    h("h3", {}, "Trigger"),
    h("p", { class: "verdict" }, tag(why[0], why[1])),
    h("ul", { class: "conditions" }, preview.conditions.map((each) => h("li", {},
      tag(each.held ? "yes" : "no", each.held ? "good" : "bad"), each.condition,
      each.decided && preview.conditions.length > 1 ? tag("decides") : null))),
    ...(preview.matches ? [h("h3", {}, "Mapped payload"), json(preview.mapped)] : []),
    ...(preview.reason ? [h("h3", {}, "Rejected"), message("bad", [preview.reason, preview.detail].filter(Boolean).join(": "))] : []),
    ...(preview.request ? [h("h3", {}, "Request to Loops"), request(preview.request)] : []),
  ];
}

function request(asked) {
  const headers = Object.entries(asked.headers).map(([name, value]) => `${name}: ${value}`);
  return h("pre", { class: "tall", tabindex: 0 }, [`${asked.method} ${asked.url}`, ...headers, "", pretty(asked.body)].join("\n"));
}

function showSaving() {
  const dirty = isDirty();
  const faulty = work.problems.length > 0;
  $("save").disabled = !dirty || faulty;
  $("undo").disabled = !dirty;
  const count = work.problems.length;
  $("save-note").textContent = faulty ? `${count === 1 ? "1 fault" : `${count} faults`} to mend` : dirty ? "Not saved yet" : "";
  $("send").disabled = faulty || Boolean(work.event);
  $("send").textContent = dirty ? "Save and send test event" : "Send test event";
  $("send-note").textContent = status.sandboxed ? "Goes the whole way, to the sandbox." : "Goes the whole way, to the real Loops.";
}

async function save() {
  readEditor();
  const { ok, answer } = await call("PUT", "/mappings", { drafts: work.drafts, revision: work.revision });
  if (ok) {
    takeMappings(answer);
    await check();
    $("save-note").textContent = "Saved. The functions use it from the next event on.";
    return true;
  }
  if (answer.problems) {
    work.problems = answer.problems;
    showMappings();
  } else $("save-note").textContent = answer.message;
  return false;
}

function select(index) {
  work.selected = index;
  fillEditor();
  showMappings();
}

function addSubscription() {
  const action = work.actions.find((each) => each.slug === "sendEvent") ?? work.actions[0];
  const names = new Set(work.drafts.map((each) => each.name));
  let name = action.title;
  for (let number = 2; names.has(name); number += 1) name = `${action.title} ${number}`;
  work.drafts.push({ origin: null, name, action: action.slug, enabled: false, trigger: action.trigger, mapping: action.mapping });
  work.previews.push(null);
  select(work.drafts.length - 1);
  $("name").focus();
  $("name").select();
  check();
}

async function removeSubscription() {
  const name = draft().name || draft().action;
  const words = `What waits on the queues for "${name}" becomes a dead letter once this is saved.`;
  if (!(await ask("Delete this subscription?", words, "Delete it"))) return;
  work.drafts.splice(work.selected, 1);
  work.problems = [];
  work.warnings = [];
  work.previews.splice(work.selected, 1);
  select(Math.max(0, work.selected - 1));
  check();
}

function undo() {
  work.drafts = JSON.parse(work.saved);
  select(Math.min(work.selected, work.drafts.length - 1));
  check();
}

async function send() {
  if (!(await mayReachLoops("Send this event to the real Loops?"))) return;
  if (isDirty() && !(await save())) return;
  $("send").disabled = true;
  $("answer").replaceChildren(h("p", { class: "note" }, "On its way."));
  const { ok, answer } = await call("POST", "/send", { event: $("event").value, confirmed: !status.sandboxed });
  $("answer").replaceChildren(...(ok ? sent(answer) : [message("bad", answer.message)]));
  showSaving();
}

/* What the webhook answered, and what Loops did. */
function sent(answer) {
  const lines = answer.deliveries.map((each) => {
    const loops = each.calls.at(-1);
    const words = [each.outcome, each.name ? `by “${each.name}”` : "no subscription takes it", each.reason, each.detail];
    return h("div", {},
      message(KINDS[each.outcome] ?? "", [...words.filter(Boolean).join(", "), "."].join("")),
      loops ? h("div", {}, h("h3", {}, `Loops answered ${loops.status ?? "nothing: the connection was reset"}`), loops.body === null ? null : json(loops.body)) : null,
      h("p", { class: "note" }, h("a", { href: `#/deliveries/${each.id}` }, "Open this delivery")));
  });
  const head = h("p", { class: "note" }, `The webhook answered ${answer.status}${answer.answer.reason ? `: ${answer.answer.reason}` : ""}.`);
  return [head, ...lines];
}

for (const id of ["name", "trigger", "mapping"]) $(id).addEventListener("input", typed);
$("enabled").addEventListener("change", typed);
$("action").addEventListener("change", () => {
  const before = work.actions.find((each) => each.slug === draft().action);
  const after = work.actions.find((each) => each.slug === $("action").value);
  if ($("trigger").value === before.trigger) $("trigger").value = after.trigger;
  if ($("mapping").value === before.mapping) $("mapping").value = after.mapping;
  typed();
});
$("event").addEventListener("input", () => { $("sample").value = "own"; typed(); });
$("sample").addEventListener("change", async () => {
  const chosen = $("sample").value;
  if (chosen === "own") return;
  if (chosen === "last") {
    const { deliveries } = await get("/deliveries");
    $("event").value = deliveries.length ? (await get(`/deliveries/${deliveries[0].id}`)).event : "";
  } else $("event").value = work.samples[Number(chosen)].event;
  $("answer").replaceChildren();
  check();
});
$("save").addEventListener("click", save);
$("undo").addEventListener("click", undo);
$("add").addEventListener("click", addSubscription);
$("remove").addEventListener("click", removeSubscription);
$("send").addEventListener("click", send);
$("editor").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("beforeunload", (event) => { if (isDirty()) event.preventDefault(); });

/* Deliveries */

let deliveries = { version: -1, deliveries: [] };

async function lookAtDeliveries() {
  if (deliveries.version !== status.deliveries) deliveries = await get("/deliveries");
  const wanted = $("outcome").value;
  const rows = deliveries.deliveries.filter((each) => !wanted || each.outcome === wanted);
  show("deliveries", rows, () => (rows.length === 0
    ? nothing(wanted ? `No delivery is ${wanted}.` : "No event has come yet. Send one from Mappings.")
    : table(
      [["Time", "tight"], ["Type"], ["messageId", "id"], ["Subscription"], ["Outcome"], ["Attempts", "tight"], ["", "tight"]],
      rows.map((each) => [
        clockTime(each.time), each.type ?? "", each.messageId ?? "", each.name ?? "",
        h("div", {}, tag(each.outcome), each.reason ? h("span", { class: "soft" }, ` ${each.reason}`) : null), each.attempts ? String(each.attempts) : "",
        h("a", { href: `#/deliveries/${each.id}`, "data-key": `open-${each.id}`, "aria-label": `Open delivery ${each.id}, ${each.outcome}` }, "Open"),
      ]))));
}

$("outcome").addEventListener("change", lookAtDeliveries);

async function lookAtDelivery(id) {
  const { ok, answer } = await call("GET", `/deliveries/${id}`);
  $("again").disabled = $("edit-with").disabled = !ok;
  show("delivery", answer, () => (ok ? wholeDelivery(answer) : nothing(answer.message)));
}

function wholeDelivery(each) {
  const facts = [
    ["Outcome", h("span", {}, tag(each.outcome), each.reason ? ` ${each.reason}` : "", each.detail ? h("span", { class: "soft" }, ` ${each.detail}`) : null)],
    ["Came", dateTime(each.time)],
    ["Last tried", each.last > each.time ? dateTime(each.last) : null],
    ["By", each.path === "RetryQueue" ? "the RetryQueue" : `${each.path}, answered ${each.status}`],
    ["messageId", each.messageId && h("span", { class: "mono" }, each.messageId)],
    ["Subscription", each.name],
    ["Action", each.action],
    ["Attempts", each.attempts ? String(each.attempts) : null],
    ["Key", each.idempotencyKey && h("span", { class: "mono" }, each.idempotencyKey)],
  ].filter(([, value]) => value);
  return [
    h("div", { class: "card" }, h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat())),
    h("div", { class: "columns" },
      h("div", {}, h("h3", {}, "Event"), h("pre", { class: "tall", tabindex: 0 }, each.event),
        ...(each.preview ? [h("h3", {}, "Mapped payload"), json(each.preview.mapped ?? null)] : [])),
      h("div", {},
        ...(each.preview?.request ? [h("h3", {}, "Request to Loops"), request(each.preview.request)] : []),
        h("h3", {}, "Answers of Loops"), ...answers(each))),
  ];
}

function answers(each) {
  if (each.calls.length) {
    return [table([["Time", "tight"], ["Status", "tight"], ["Answer"]], each.calls.map((one) => [
      clockTime(one.time), one.status === null ? tag("reset", "bad") : tag(String(one.status), one.status < 300 || one.status === 409 ? "good" : "bad"),
      one.body === null ? h("span", { class: "soft" }, "none") : h("span", { class: "mono" }, text(one.body)),
    ]))];
  }
  const words = each.attempts && !status.sandboxed ? "Only its outcome is known: the calls of the real Loops are not recorded." : "Loops was not asked.";
  return [h("p", { class: "hint" }, words)];
}

const opened = () => location.hash.split("/")[2];

$("again").addEventListener("click", async () => {
  const id = opened();
  if (!(await mayReachLoops("Send it to the real Loops again?"))) return;
  const { ok, answer } = await call("POST", `/deliveries/${id}/again`, { confirmed: !status.sandboxed });
  $("again-answer").replaceChildren(...(ok ? [againWords(answer)] : [message("bad", answer.message)]));
});

function againWords(answer) {
  const parts = answer.deliveries.map((each) => {
    const known = each.calls.at(-1)?.status === 409 ? " (Loops has it already)" : "";
    return [each.outcome, known, each.reason ? `, ${each.reason}` : "", " ", h("a", { href: `#/deliveries/${each.id}` }, "Open")];
  });
  const kind = answer.status < 202 ? "good" : answer.status < 300 ? "wait" : "bad";
  return h("p", { class: `message ${kind}` }, `Sent again, answered ${answer.status}. `, parts.flat());
}

$("edit-with").addEventListener("click", async () => {
  const delivery = await get(`/deliveries/${opened()}`);
  location.hash = "#/mappings";
  await openMappings();
  $("event").value = delivery.event;
  $("sample").value = "own";
  const index = work.drafts.findIndex((each) => each.id === delivery.subscription);
  if (index >= 0) select(index);
  await check();
});

/* Audience and Events */

const values = (object) => {
  const entries = Object.entries(object).filter(([, value]) => value !== null);
  return entries.length ? h("ul", { class: "values" }, entries.map(([name, value]) => h("li", {}, h("span", { class: "soft" }, name), text(value)))) : "";
};

const elsewhere = () => nothing("Loops is the real one: look at its own pages.");

async function lookAtAudience() {
  if (!status.sandboxed) { show("audience", "real", elsewhere); return; }
  const { contacts } = await get("/audience");
  const wanted = $("find").value.trim().toLowerCase();
  const rows = contacts.filter((each) => JSON.stringify(each).toLowerCase().includes(wanted));
  show("audience", rows, () => (rows.length === 0
    ? nothing(wanted ? "No contact holds this." : "There is no contact yet. Send an identify event from Mappings.")
    : table([["Email"], ["userId", "id"], ["Properties"], ["Lists"], ["Subscribed", "tight"], ["Created", "tight"], ["Changed", "tight"]],
      rows.map((each) => [
        each.email, each.userId ?? "", values(each.properties), each.lists.join(", "),
        each.subscribed ? "yes" : tag("no", "bad"), clockTime(each.created), clockTime(each.updated),
      ]))));
}

$("find").addEventListener("input", lookAtAudience);

async function lookAtEvents() {
  if (!status.sandboxed) { show("events", "real", elsewhere); return; }
  const { events } = await get("/audience");
  show("events", events, () => (events.length === 0
    ? nothing("There is no event yet. Send a track event from Mappings.")
    : table([["Time", "tight"], ["Event"], ["Triggered by"], ["Properties"], ["Key", "id"], ["Repeats", "tight"]],
      events.map((each) => [
        clockTime(each.time), each.name, h("div", {}, each.email, each.userId ? h("span", { class: "soft" }, ` ${each.userId}`) : null),
        values(each.properties), each.idempotencyKey ?? "", each.occurrence > 1 ? tag(`sent ${each.occurrence} times`, "bad") : "",
      ]))));
}

/* Queues */

async function lookAtQueues() {
  const { waiting, deadLetters: letters } = await get("/queues");
  show("waiting", waiting, () => (waiting.length === 0
    ? nothing("Nothing waits.")
    : table([["Next try", "tight"], ["messageId", "id"], ["Subscription"], ["Reason"], ["Attempts", "tight"], ["Received", "tight"]],
      waiting.map((each) => [
        countdown(each.nextAt), each.messageId ?? "", each.name ?? "", tag(each.reason ?? "unreadable", "wait"),
        String(each.attempts ?? ""), each.receivedAt ? clockTime(Date.parse(each.receivedAt) / 1000) : "",
      ]))));
  show("letters", letters, () => (letters.length === 0 ? nothing("There are no dead letters.") : groups(letters)));
}

function groups(letters) {
  const byReason = Map.groupBy ? Map.groupBy(letters, (each) => each.reason) : grouped(letters);
  return [...byReason].map(([reason, group]) => [
    h("div", { class: "group" }, h("h3", {}, reason), h("span", { class: "soft" }, group.length === 1 ? "1 letter" : `${group.length} letters`),
      group.length > 1 ? h("div", { class: "actions" }, letterButtons(group, `all-${reason}`, " all")) : null),
    table([["Since", "tight"], ["messageId", "id"], ["Subscription"], ["Detail"], ["Content"], ["", "tight"]],
      group.map((each) => [
        clockTime(each.buriedAt), each.messageId ?? "", each.name ?? "",
        [each.status ? `Loops answered ${each.status}` : null, each.detail].filter(Boolean).join(": "),
        h("details", { "data-key": `content-${each.id}` }, h("summary", { "data-key": `summary-${each.id}` }, "Show"), h("pre", { class: "tall", tabindex: 0 }, each.content)),
        h("div", { class: "actions" }, letterButtons([each], each.id, "")),
      ])),
  ]).flat();
}

function grouped(letters) {
  const groups = new Map();
  for (const each of letters) groups.set(each.reason, [...(groups.get(each.reason) ?? []), each]);
  return groups;
}

function letterButtons(letters, key, suffix) {
  const about = letters.length === 1 && letters[0].messageId ? ` ${letters[0].messageId}` : "";
  return [
    letters.some((each) => each.canBeRedriven)
      ? h("button", { type: "button", class: "small", "data-key": `redrive-${key}`, "aria-label": `Redrive${suffix}${about}`, onclick: () => redrive(letters) }, `Redrive${suffix}`) : null,
    h("button", { type: "button", class: "small", "data-key": `drop-${key}`, "aria-label": `Drop${suffix}${about}`, onclick: () => drop(letters) }, `Drop${suffix}`),
  ];
}

const FATES = {
  "redriven": "went back to the RetryQueue",
  "no-event": "hold nothing that could be delivered",
  "needs-new-idempotency-key": "were left, as a repeat could mail twice",
  "too-old": "were left, as they were too old when they came",
  "held-elsewhere": "are held by another program just now",
};

async function redrive(letters) {
  let repeat = false;
  if (letters.some((each) => each.needsNewIdempotencyKey)) {
    const words = "Loops may have taken such an event and forgotten its key. If it did, it takes the event a second time: people are mailed twice.";
    repeat = await ask("Send under a new key?", words, "Redrive it");
    if (!repeat && letters.length === 1) return;
  }
  let acceptOld = false;
  if (letters.some((each) => each.tooOld)) {
    const words = "Events that were too old when they arrived may come from a replay. If they were sent before, people are mailed again.";
    acceptOld = await ask("Send old events?", words, "Redrive");
    if (!acceptOld && letters.length === 1) return;
  }
  if (!(await mayReachLoops("Redrive to the real Loops?"))) return;
  const { ok, answer } = await call("POST", "/queues/redrive", { ids: letters.map((each) => each.id), repeat, acceptOld, confirmed: !status.sandboxed });
  const words = ok ? Object.entries(answer).map(([fate, count]) => `${count} ${FATES[fate] ?? fate}`).join(", ") : answer.message;
  $("queues-answer").replaceChildren(message(ok ? "good" : "bad", words ? `${words}.` : "These letters are gone already."));
  await look();
}

async function drop(letters) {
  const what = letters.length === 1 ? "this letter" : `these ${letters.length} letters`;
  if (!(await ask(`Delete ${what} for good?`, "The event is then nowhere but at Segment.", "Delete"))) return;
  const { ok, answer } = await call("POST", "/queues/drop", { ids: letters.map((each) => each.id) });
  $("queues-answer").replaceChildren(message(ok ? "" : "bad", ok ? `${answer.dropped} deleted.` : answer.message));
  await look();
}

/* Which view, and looking again */

const VIEWS = {
  mappings: { title: "Mappings", open: openMappings },
  deliveries: { title: "Deliveries", look: lookAtDeliveries },
  delivery: { title: "Delivery", look: () => lookAtDelivery(opened()), under: "deliveries" },
  audience: { title: "Audience", look: lookAtAudience },
  events: { title: "Events", look: lookAtEvents },
  queues: { title: "Queues", look: lookAtQueues },
};
let view = null;

function currentView() {
  const [, name, id] = location.hash.split("/");
  if (name === "deliveries" && id) return "delivery";
  return Object.hasOwn(VIEWS, name ?? "") ? name : "mappings";
}

async function route() {
  view = currentView();
  for (const name of Object.keys(VIEWS)) $(`view-${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.hash === `#/${VIEWS[view].under ?? view}`;
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${VIEWS[view].title} · Studio`;
  $("again-answer").replaceChildren();
  $("queues-answer").replaceChildren();
  await look();
  await VIEWS[view].open?.();
}

async function look() {
  await lookAtStatus();
  await VIEWS[view].look?.();
  tick();
}

async function lookAgain() {
  try {
    if (!document.hidden) await look();
    if (view === "mappings" && !work.ready) await openMappings();
  } finally {
    setTimeout(lookAgain, LOOK_AGAIN);
  }
}

window.addEventListener("hashchange", async () => {
  await route();
  // Not from somebody who has gone on to a field meanwhile.
  if (!$("main").contains(document.activeElement)) $("main").focus({ preventScroll: true });
});
route().finally(lookAgain);
