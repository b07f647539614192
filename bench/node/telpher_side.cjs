// Telpher's side of a call. NODE_ADDON_BUILD says how the addon was built.
//
//     telpher_side.cjs serve URL
//     telpher_side.cjs call URL SECONDS WINDOW
'use strict';

const telpher = require('../../bindings/node');
const { BODY, callFor, report } = require('./common.cjs');

async function serve(url) {
  const hub = await telpher.open(url);
  await hub.serve('bench.echo', (request) => request.body, { concurrency: 1024 });
  console.log('ready');
}

async function call(url, seconds, window) {
  const hub = await telpher.open(url);
  const result = await callFor(seconds, window, () => hub.call('bench.echo', BODY));
  await hub.close();
  report(process.env.NODE_ADDON_BUILD, result);
}

const [role, url, seconds, window] = process.argv.slice(2);
const run = role === 'serve' ? serve(url) : call(url, Number(seconds), Number(window));
run.catch((error) => {
  console.error(error);
  process.exit(1);
});
