// What the Node sides share: a number of callers in flight for a time, and the report.
'use strict';

const BODY = Buffer.alloc(64);

/** Keeps `window` calls in flight, each awaiting `call()`; how many ended, from when to when. */
async function callFor(seconds, window, call) {
  const start = process.hrtime.bigint();
  const until = start + BigInt(Math.round(seconds * 1e9));
  let count = 0;
  const caller = async () => {
    while (process.hrtime.bigint() < until) {
      const reply = await call();
      if (reply.length !== BODY.length) throw new Error(`a reply of ${reply.length} bytes`);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: window }, caller));
  return { count, start, end: process.hrtime.bigint() };
}

/** The line that the harness reads. */
function report(build, { count, start, end }) {
  const use = process.resourceUsage();
  console.log(JSON.stringify({
    build,
    count,
    start_ns: Number(start),
    end_ns: Number(end),
    switches: use.voluntaryContextSwitches + use.involuntaryContextSwitches,
  }));
}

module.exports = { BODY, callFor, report };
