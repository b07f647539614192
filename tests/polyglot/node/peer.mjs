// Node's part in the polyglot matrix:
// `peer.mjs call|serve|produce|consume|publish|subscribe|bind|gather|append|read|member URL NAME
// [COUNT]`.

import { once } from "node:events";

import { open } from "../../../bindings/node/index.mjs";

// Confirmed at once by a caller or producer that does not wait for each.
const WINDOW = 64;

// Keys of records, in turns.
const KEYS = 16;

const roles = {
  call,
  serve,
  produce,
  consume,
  publish,
  subscribe,
  bind,
  gather,
  append,
  read,
  feed,
  fed,
  member,
};

async function call(hub, name, count) {
  await inWindows(count, async (index) => {
    const body = Buffer.from(`request-${index}`);
    const answer = await hub.call(name, body);
    const wanted = Buffer.from(body).reverse();
    if (!answer.equals(wanted))
      throw new Error(`"${body}" was answered "${answer}"`);
  });
}

async function serve(hub, name) {
  const handler = (request) => Buffer.from(request.body).reverse();
  const service = await hub.serve(name, handler, {
    concurrency: WINDOW,
    instanceName: `peer-${process.pid}`,
  });
  console.log("ready");
  process.stdin.resume();
  await once(process.stdin, "end");
  await service.close();
}

async function produce(hub, name, count) {
  const queue = hub.queue(name);
  await queue.declare({ durability: "memory" });
  await inWindows(count, (index) => queue.send(`message-${index}`));
}

async function consume(hub, name, count) {
  const queue = hub.queue(name);
  await queue.declare({ durability: "memory" });
  const missing = new Set(
    Array.from({ length: count }, (_, index) => `message-${index}`),
  );
  const consumer = queue.consume();
  await consumer.started;
  console.log("ready");
  for await (const job of consumer) {
    const body = String(job.body);
    if (!missing.delete(body))
      throw new Error(`"${body}" came twice or was never sent`);
    await job.acknowledge();
    if (missing.size === 0) break;
  }
}

async function publish(hub, topic, count) {
  await inWindows(count, (index) =>
    hub.topic(`${topic}.${index}`).publish(`message-${index}`),
  );
}

async function bind(hub, name) {
  const queue = hub.queue(name);
  await queue.declare({ durability: "memory" });
  await queue.bind(`${name}.*`);
}

async function subscribe(hub, topic, count) {
  const subscriber = hub.subscribe(`${topic}.*`);
  await subscriber.started;
  console.log("ready");
  for (let index = 0; index < count; index++) {
    const message = await subscriber.receive();
    const found = `${message.topic} ${message.number} ${message.lost} ${message.body}`;
    const wanted = `${topic}.${index} ${index + 1} 0 message-${index}`;
    if (found !== wanted)
      throw new Error(`expected "${wanted}", got "${found}"`);
  }
  await subscriber.close();
}

// Each of two instances answers once, under its name, and nobody is missing.
async function gather(hub, name, count) {
  const instances = new Set();
  for (let index = 0; index < count; index++) {
    const body = `gather-${index}`;
    const wanted = String(Buffer.from(body).reverse());
    const found = [];
    const gathering = hub.gather(name, body);
    for await (const answer of gathering) {
      instances.add(`${answer.instance} ${answer.instanceName}`);
      found.push(String(answer.body));
    }
    const missing = gathering.missing.length;
    if (found.join() !== `${wanted},${wanted}` || missing !== 0)
      throw new Error(`"${body}" got ${found}, and ${missing} are missing`);
  }
  const isNamed = [...instances].every((who) => / peer-[0-9]+$/.test(who));
  if (instances.size !== 2 || !isNamed)
    throw new Error(`these answered: ${[...instances]}`);
}

async function records(stream) {
  const { partitions } = await stream.inspect();
  return partitions.reduce((sum, { next }) => sum + Number(next), 0);
}

async function append(hub, name, count) {
  const stream = hub.stream(name);
  const first = await records(stream);
  // All at once: what is on its way together keeps its order.
  const numbers = Array.from({ length: count }, (_, index) => first + index);
  await Promise.all(
    numbers.map((number) =>
      stream.append(`message-${number}`, { key: `key-${number % KEYS}` }),
    ),
  );
}

// Binds the stream to topics, and publishes to these.
async function feed(hub, name, count) {
  await hub.stream(name).bind(`${name}.*`);
  const numbers = Array.from({ length: count }, (_, index) => index);
  await Promise.all(
    numbers.map((number) =>
      hub.topic(`${name}.${number}`).publish(`message-${number}`, {
        key: `key-${number % KEYS}`,
      }),
    ),
  );
}

// As `read`, of what was published.
async function fed(hub, name, count) {
  await read(hub, name, count, true);
}

// Offsets have no hole, and each key is in one partition, in order.
async function read(hub, name, count, isFed = false) {
  const stream = hub.stream(name);
  const offsets = new Map();
  const keys = new Map();
  const reader = stream.read({ follow: true });
  await reader.started;
  console.log("ready");
  for (let index = 0; index < count; index++) {
    const record = await reader.receive();
    const { partition } = record;
    const number = Number(String(record.body).replace("message-", ""));
    const key = number % KEYS;
    const offset = offsets.get(partition) ?? 0;
    const place = keys.get(key) ?? { partition, number: key };
    const topic = record.headers["telpher.topic"];
    const from = isFed ? `${name}.${number}` : undefined;
    const found = `${partition}:${record.offset} ${record.key} ${record.body} ${topic}`;
    const wanted = `${place.partition}:${offset} key-${key} message-${place.number} ${from}`;
    if (found !== wanted)
      throw new Error(`expected "${wanted}", got "${found}"`);
    offsets.set(partition, offset + 1);
    keys.set(key, { partition, number: number + KEYS });
  }
  await reader.close();
  const all = await records(stream);
  if (all !== count)
    throw new Error(`the stream has ${all} records, not ${count}`);
}

// Handles records until the standard input closes; at least one.
async function member(hub, name) {
  const reader = hub.stream(name).read({ group: "members" });
  await reader.started;
  console.log("ready");
  process.stdin.resume();
  process.stdin.once("end", () => reader.close());
  let handled = 0;
  for await (const record of reader) {
    const { body, key } = record;
    const batch = hub.batch().append(`${name}.done`, body, { key });
    await batch.commit(reader, record).submit();
    handled++;
  }
  if (handled === 0) throw new Error("no record came");
}

async function inWindows(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, count) }, worker));
}

const [role, url, name, count] = process.argv.slice(2);
if (!roles[role] || !url || !name) {
  console.error(
    `usage: peer.mjs ${Object.keys(roles).join("|")} URL NAME [COUNT]`,
  );
  process.exit(2);
}
const hub = await open(url);
await roles[role](hub, name, Number(count ?? 0));
await hub.close();
