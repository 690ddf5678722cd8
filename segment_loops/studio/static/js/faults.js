/* Simulated failures of Loops and of SQS. */

export const FAULTS = [
  ["answers 500", { kind: "status", status: 500 }],
  ["answers 429, too many requests", { kind: "status", status: 429 }],
  ["refuses the API key, 401", { kind: "status", status: 401 }],
  ["refuses the request, 400", { kind: "status", status: 400 }],
  ["resets the connection", { kind: "reset" }],
  ["processes the request, and its response is lost", { kind: "reset", processed: true }],
  ["answers after 6 seconds", { kind: "delay", seconds: 6 }],
  ["answers with HTML", { kind: "garbage" }],
];

export const TIMES = [["the next request", 1], ["the next 3 requests", 3], ["every request", null]];

export function inWords(fault) {
  const what = {
    status: `answers ${fault.status}`,
    reset: fault.processed ? "processes the request, and its response is lost" : "resets the connection",
    delay: `answers after ${fault.seconds} s`,
    garbage: "answers with HTML",
    truncated: "breaks off its response",
    trickle: "answers byte by byte",
  }[fault.kind];
  const times = fault.times === null ? "every request" : fault.times === 1 ? "the next request" : `the next ${fault.times} requests`;
  return `Loops ${what}, ${times}`;
}
