/* The start of the page: its views, its address, and the question every second what has changed. */

import { Failed, Lost } from "./api.js";
import { byId } from "./dom.js";
import { onStopFaults } from "./frame.js";
import { start } from "./router.js";
import { poll, setViews, showRoute } from "./screen.js";
import { contactPage } from "./views/contact-page.js";
import { contacts } from "./views/contacts.js";
import { deliveries } from "./views/deliveries.js";
import { events } from "./views/events.js";
import { mappings } from "./views/mappings.js";
import { queues } from "./views/queues.js";
import { eventPage } from "./views/event-page.js";

const POLL = 1000; // milliseconds

setViews({ mappings, deliveries, delivery: eventPage, event: eventPage, queues, contacts, contact: contactPage, events });
onStopFaults(poll);

async function pollAgain() {
  try {
    if (!document.hidden) await poll();
  } catch (error) {
    if (!(error instanceof Lost || error instanceof Failed)) throw error;
  } finally {
    setTimeout(pollAgain, POLL);
  }
}

// The banner says that the studio does not answer.
addEventListener("unhandledrejection", (event) => { if (event.reason instanceof Lost) event.preventDefault(); });
addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });

// The address of the page holds its state, so this link must not change it.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
  byId("main").scrollIntoView();
});

start(showRoute);
showRoute().finally(() => setTimeout(pollAgain, POLL));
