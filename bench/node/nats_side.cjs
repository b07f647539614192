// nats.js's side of a call. NATS_MODULE names the folder of the package.
//
//     nats_side.cjs serve URL
//     nats_side.cjs call URL SECONDS WINDOW
'use strict';

const { connect } = require(process.env.NATS_MODULE ?? 'nats');
const { BODY, callFor, report } = require('./common.cjs');

async function serve(url) {
  const client = await connect({ servers: url });
  const subscription = client.subscribe('bench.echo', { queue: 'bench' });
  await client.flush();
  console.log('ready');
  for await (const message of subscription) message.respond(message.data);
}

async function call(url, seconds, window) {
  const client = await connect({ servers: url });
  const one = async () => (await client.request('bench.echo', BODY, { timeout: 10000 })).data;
  report('release', await callFor(seconds, window, one));
  await client.close();
}

const [role, url, seconds, window] = process.argv.slice(2);
const run = role === 'serve' ? serve(url) : call(url, Number(seconds), Number(window));
run.catch((error) => {
  console.error(error);
  process.exit(1);
});
