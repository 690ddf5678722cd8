/* Outcomes, reasons and results of redrives as data. One that is not listed is shown by its name. */

export const OUTCOMES = {
  delivered: { kind: "good", meaning: "Loops has it." },
  unchanged: { kind: "good", meaning: "Loops has exactly this already, so no request was sent." },
  superseded: { kind: "plain", meaning: "Loops has newer values, or the contact was deleted later, so no request was sent." },
  filtered: { kind: "plain", meaning: "No enabled subscription matches." },
  queued: { kind: "wait", meaning: "On the RetryQueue. It is tried again without your help." },
  rejected: { kind: "bad", meaning: "On the DeadLetterQueue. It cannot succeed as it is." },
  denied: { kind: "bad", meaning: "The whole request was denied, and nothing of it was stored." },
};

/* `fix`: the place where a person can correct it. */
export const REASONS = {
  "rate-limited": { meaning: "Loops answered 429: too many requests." },
  "loops-error": { meaning: "Loops answered with an error of its own." },
  "timeout": { meaning: "Loops did not answer in time." },
  "connection-failed": { meaning: "The connection to Loops failed." },
  "unreadable-response": { meaning: "Loops' response could not be read." },
  "api-key-refused": { meaning: "Loops refused the API key. Put a valid one into the secret." },
  "api-key-unavailable": { meaning: "The secret cannot be read, or holds no API key." },
  "unexpected-error": { meaning: "An error in this destination. The function's log has its class." },
  "unknown-contact": { meaning: "Loops does not know this contact yet. Its identify may be on the way." },
  "no-time-left": { meaning: "There was no time left for a request to Loops." },
  "paused": { meaning: "Requests to Loops pause after many failures." },
  "contact-busy": { meaning: "Another delivery is updating this contact." },
  "deletion-begun": { meaning: "The contact is deleted in Loops once the calls under way have ended." },
  "ledger-unavailable": { meaning: "The contact ledger did not answer." },
  "not-an-event": { meaning: "The body is not a Segment event." },
  "too-large": { meaning: "The event is larger than Segment sends." },
  "too-old": { meaning: "The event was too old when it arrived, as in a replay." },
  "invalid-payload": { meaning: "The mapped payload is invalid.", fix: "mapping" },
  "mapping-failed": { meaning: "The mapping failed for this event.", fix: "mapping" },
  "refused": { meaning: "Loops refused the request.", fix: "mapping" },
  "idempotency-key-expired": { meaning: "Loops may have forgotten the idempotency key, so a repeat could send the same email again." },
  "idempotency-key-already-used": { meaning: "Loops refused an earlier attempt, and the idempotency key is used up." },
  "retries-exhausted": { meaning: "The last retry failed." },
  "receives-exhausted": { meaning: "SQS moved the message after the last receive." },
  "unreadable-message": { meaning: "The message was written by another program or another version." },
  "unknown-subscription": { meaning: "The mappings file has no such subscription any more.", fix: "mapping" },
  "subscription-disabled": { meaning: "The subscription is disabled.", fix: "mapping" },
  "not-stored": { meaning: "SQS could not store it. Segment keeps the event and sends it again." },
  "bad-signature": { meaning: "The request has no valid signature or bearer token." },
  "unsigned-batch-items": { meaning: "Segment signs only the first event of a batch. Turn batching off, or send a bearer token." },
  "secret-not-set-up": { meaning: "The secret has no shared secret yet." },
  "secret-unavailable": { meaning: "The secret could not be read." },
};

export const REDRIVES = {
  "redriven": "redriven",
  "no-event": "not redriven: there is no event to deliver",
  "needs-new-idempotency-key": "not redriven: a repeat could send the same email again",
  "too-old": "not redriven: too old on arrival",
  "held-elsewhere": "not redriven: another program is reading the dead letter. Try again in a moment",
};

export const kindOf = (outcome) => OUTCOMES[outcome]?.kind ?? "plain";
export const meaningOf = (reason) => REASONS[reason]?.meaning ?? "";

/* The order in which outcomes are offered as filters: the known ones, then all others. */
export const inOrder = (outcomes) => {
  const known = Object.keys(OUTCOMES);
  return [...known.filter((each) => outcomes.includes(each)), ...outcomes.filter((each) => !known.includes(each))];
};
