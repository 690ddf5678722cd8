'use strict'

// Segment's side of `make bench`: node peer.js <file of cases> <port of the loopback server>
//
// A line on stdin is a request, {"task", "case", "untimed", "timed"}; its answer is a line on stdout: {"seconds"} of so
// many timed runs after the others, or {"outcome"} of one run where both are 0.

const { readFileSync } = require('node:fs')
const https = require('node:https')
const net = require('node:net')
const path = require('node:path')
const { createInterface } = require('node:readline')
const { Destination } = require('@segment/actions-core')
const { transform } = require('@segment/actions-core/mapping-kit')
const { parseFql, validate } = require('@segment/destination-subscriptions')
const loops = require('@segment/action-destinations/dist/destinations/loops').default

// Every request of a destination goes through this module's default export.
const fetchModule = require(path.join(path.dirname(require.resolve('@segment/actions-core')), 'fetch.js'))

const [casesFile, port] = process.argv.slice(2)
const { apiKey, cases } = JSON.parse(readFileSync(casesFile, 'utf8'))
const destination = new Destination(loops)
const settings = { apiKey }

const realFetch = fetchModule.default
const kept = new https.Agent({ keepAlive: true })
// Loops' own URL, but a plain connection to loopback: nothing is rewritten, and nothing encrypted, on either side.
kept.createConnection = () => net.connect({ port: Number(port), host: '127.0.0.1', noDelay: true })

let caught
const fetches = {
  request: async (request) => {
    caught = request
    return new fetchModule.Response('{"success":true}', { headers: { 'content-type': 'application/json' } })
  },
  handler: (request) => realFetch(request, { agent: kept })
}

function execute({ event, action, mapping }) {
  destination.responses = [] // else it keeps all that it ever got
  return destination.executeAction(action, { event, mapping, settings })
}

async function executed(it) {
  caught = undefined
  await execute(it)
  if (caught === undefined) return null // what was sent, the server tells
  const headers = Object.fromEntries(caught.headers)
  return { method: caught.method, url: caught.url, headers, body: JSON.parse(await caught.text()) }
}

const tasks = {
  mapping: { run: (it) => transform(it.mapping, it.event) },
  trigger: { run: (it) => validate(parseFql(it.trigger), it.event) },
  trigger_once: { run: (it) => validate(it.parsed, it.event) },
  request: { run: execute, outcome: executed, asynchronous: true },
  handler: { run: execute, outcome: executed, asynchronous: true }
}

async function repeat({ run, asynchronous }, it, times) {
  if (asynchronous) for (let n = 0; n < times; n++) await run(it)
  else for (let n = 0; n < times; n++) run(it)
}

async function measure(task, it, untimed, timed) {
  await repeat(task, it, untimed)
  const began = process.hrtime.bigint()
  await repeat(task, it, timed)
  return Number(process.hrtime.bigint() - began) / 1e9
}

async function answer({ task, case: index, untimed, timed }) {
  const it = cases[index]
  it.parsed ??= parseFql(it.trigger)
  fetchModule.default = fetches[task] ?? realFetch
  const { run, outcome = run } = tasks[task]
  return timed ? { seconds: await measure(tasks[task], it, untimed, timed) } : { outcome: await outcome(it) }
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n')
  }
  process.exit(0)
}

main()
