/// <reference types="node" />

import { EventEmitter } from 'node:events'

import type { Stream } from './streams'
import type { Batch } from './batches'
import type { Gather, GatherOptions } from './gathers'
import type { SubscribeOptions, Subscriber, Topic, Topics } from './topics'

export * from './batches'
export * from './errors'
export * from './streams'
export * from './gathers'
export * from './topics'

/**
 * Telpher: messaging as a library. Services call each other, share queues, publish to topics and
 * keep streams through a *hub*, which nobody has to install or start.
 *
 * Every operation returns a promise that ends exactly once, no later than its deadline (30 s if
 * none is stated). Failures are a {@link TelpherError}. A program ends by itself when nothing is
 * open any more: no operation, consumer, subscriber, reader or service.
 */

/** The version of this package. */
export const version: string

/** Bytes, or text that is sent as UTF-8. Bytes are copied before the function returns. */
export type Bytes = Uint8Array | string

/** What every operation takes. */
export interface OperationOptions {
  /**
   * Time until it ends in any case, in ms; 30,000 if not stated. `Infinity` for none, only where
   * waiting is the purpose: `receive`, `serve`, `consume`, `subscribe` and `read`.
   */
  timeoutMs?: number
  /** Aborting ends it as `CANCELLED` (the result may win) and reaches the handler of a call. */
  signal?: AbortSignal
}

/** What a message has beside its body. */
export interface Properties {
  /** Which messages belong together; at most 1,024 bytes. */
  key?: Bytes
  /** Names and values; at most 65,536 bytes in all. */
  headers?: Record<string, Bytes>
  /** 0 (default) to 255; higher is delivered first. */
  priority?: number
}

/** How a message is sent. */
export interface MessageOptions extends OperationOptions, Properties {}

/** How a hub is opened. */
export interface OpenOptions extends OperationOptions {
  /**
   * Who turns the handle: `loop`, Node's own event loop (the default); `thread`, a background
   * thread, for programs that keep the loop busy for long (the default where the loop cannot be
   * had); `inline`, the loop hosts the hub as well (`mem`, `tcp` and `unix` only).
   */
  drive?: 'loop' | 'thread' | 'inline'
  /** Whether this process may host the hub of a directory; `auto` (default): if nobody else. */
  host?: 'auto' | 'never' | 'always'
  /** Operations in flight, 1 to 65,536; 1,024 if not stated. What is above waits here. */
  inFlightMax?: number
  /** Further addresses at which a hub hosted by this process listens (`tcp://`, `unix://`). */
  listen?: string[]
  /** Listen at addresses other than loopback, where anybody may connect. */
  insecure?: boolean
  /** How long a hub hosted here keeps a remote session whose connection broke; 5,000 ms. */
  sessionGraceMs?: number
}

/** Which hub a handle has reached. */
export interface HubInfo {
  /** The hub, for ever. */
  hubId: string
  /** Rises with every host that the hub has had. */
  epoch: number
  /** This handle's session. */
  sessionId: bigint
  /** True if the hub has no directory, so that queues are kept in memory only. */
  memoryOnly: boolean
}

/** Something happened to the hub. */
export type Notice =
  /** The connection broke; the handle tries to reach the hub again. */
  | { kind: 'DISCONNECTED'; reason: string }
  /** The connection is back, and the session with it. */
  | { kind: 'RESUMED' }
  /**
   * Another host has taken over. Open calls ended as `HOST_LOST`, publishes as `INDETERMINATE`.
   * Sends, settlements, declarations and batches are repeated by themselves; consumers, subscribers
   * and services go on. Jobs of queues on disk stay valid. `memoryLost`: the host was killed, and
   * the queues that it held in memory are gone; jobs of these are `LEASE_LOST`.
   */
  | { kind: 'HUB_CHANGED'; epoch: number; memoryLost: boolean }

/** Counters of one handle, since it was opened. */
export interface Stats {
  inFlight: number
  inFlightBytes: number
  started: number
  failed: number
  /** Of these, with nobody to look at them. */
  failedUnseen: number
  connects: number
}

/** How a name is served. */
export interface ServeOptions extends OperationOptions {
  /** Requests handled at once; 1 if not stated. */
  concurrency?: number
  /** Requests that may wait while all instances are busy; 1,024 if not stated. */
  lineMax?: number
  /**
   * What this instance calls itself, as names of services are made: on which machine it is, for
   * example. Whoever gathers its answers sees it. Two may state the same.
   */
  instanceName?: string
}

/** What a handler may answer: a body, nothing (an empty body), or a body with properties. */
export type Answer = Bytes | undefined | void | ({ body: Bytes } & Properties)

/**
 * Answers requests. What it throws reaches the caller as `REMOTE`, with the error's message and,
 * if that is an integer, its `code` (else 1).
 */
export type Handler = (request: Request) => Answer | Promise<Answer>

/** A hub: the place where services and queues live. Made by {@link open}. */
export class Hub extends EventEmitter {
  private constructor()
  /** Which hub this is. */
  readonly info: HubInfo
  /**
   * What the hub can do, by name: `calls`, `queues.memory`, `queues.os`, `queues.disk`, `batches`,
   * `dead_letters`, `topics`, `bindings`, `gather`, `streams`. Without `queues.os` and
   * `queues.disk` it keeps queues and streams in memory only.
   */
  readonly capabilities: string[]
  /** See {@link open}. */
  static open(url: string, options?: OpenOptions): Promise<Hub>

  /**
   * Calls a service and returns its answer. A call made while handling a request has no more time
   * than is left of that.
   *
   * | code | what is true |
   * |---|---|
   * | `INVALID`, `TOO_LARGE`, `FULL`, `CLOSED` at the start | nothing was sent |
   * | `NO_SERVICE`, `BUSY`, `EXPIRED` | the handler did not run |
   * | `REMOTE`, `TIMED_OUT`, `ABANDONED`, `HOST_UNRESPONSIVE` | the handler may have run |
   * | `CANCELLED`, `HOST_LOST`, `CLOSED` | `maybeExecuted` tells |
   */
  call(service: string, body: Bytes, options?: MessageOptions): Promise<Buffer>

  /** Serves a name with `handler`; the promise ends when it is live. */
  serve(name: string, handler: Handler, options?: ServeOptions): Promise<Service>

  /**
   * Asks every instance of a service that is there now, at most 4,096: `for await (const answer of
   * hub.gather('prices', 'tea'))`. It ends when all have answered, when `count` have, or at the end
   * of its time, with what has come; {@link Gather.missing} tells who did not answer. An instance
   * that is busy is asked when it has room. One that is made while handling a request has no more
   * time than is left of that.
   *
   * Throws `INVALID`, `TOO_LARGE`, `FULL`, `CLOSED` and `CANCELLED`: nothing was sent.
   */
  gather(service: string, body: Bytes, options?: GatherOptions): Gather

  /** The queue of this name; nothing is sent yet. */
  queue(name: string): Queue

  /** The stream of this name; nothing is sent yet. */
  stream(name: string): Stream

  /**
   * The topic of this name: segments with dots between them, as in `orders.eu.new`. It need not be
   * made; nothing is sent yet.
   */
  topic(name: string): Topic

  /**
   * The topics that match `pattern`, to be declared; nothing is sent yet. Throws `TOO_LARGE` for a
   * pattern of more than 255 bytes.
   */
  topics(pattern: string): Topics

  /**
   * Takes what is published to topics that match `pattern`, of which `*` stands for one segment and
   * `**` for any number of them, none included: `for await (const message of
   * hub.subscribe('orders.**'))`. What is published after {@link Subscriber.started} arrives.
   *
   * Throws `TOO_LARGE` for a pattern of more than 255 bytes and `CLOSED`. Another wrong pattern
   * (an empty segment, a `*` beside other characters) is `INVALID` in `started` and where messages
   * are waited for.
   */
  subscribe(pattern: string, options?: SubscribeOptions): Subscriber

  /** A new batch: sends and settlements that are done all or not at all. Nothing is sent yet. */
  batch(): Batch

  /** Sends what was started at once, rather than when this tick ends. */
  flush(): void

  /** Counters. */
  stats(): Stats

  /**
   * Says goodbye: everything that is open ends as `CLOSED`. The loop stands still for at most
   * `timeoutMs` (2,000 if not stated). Closing again does nothing.
   */
  close(options?: { timeoutMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>

  on(event: 'notice', listener: (notice: Notice) => void): this
  once(event: 'notice', listener: (notice: Notice) => void): this
  off(event: 'notice', listener: (notice: Notice) => void): this
}

/** A served name. */
export class Service {
  private constructor()
  readonly name: string
  /** Ends when the name is no longer served by this; fails if that was not wished for. */
  readonly closed: Promise<void>
  /** Takes no more requests; those being handled can still be answered. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A body and its properties, as received. */
interface Message {
  readonly body: Buffer
  /** Empty if none was given. */
  readonly key: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
  readonly priority: number
}

/** A request to a service. */
export class Request implements Message {
  private constructor()
  readonly body: Buffer
  readonly key: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
  readonly priority: number
  /** The name it was sent to. */
  readonly service: string
  /** Milliseconds until the caller stops waiting; `Infinity` if never. */
  readonly remainingMs: number
  /** True if the caller no longer waits: it was cancelled, timed out or is gone. */
  readonly cancelled: boolean
  /** Aborted when the caller no longer waits. */
  readonly signal: AbortSignal
}

/** How a queue is. Numbers are whole. */
export interface DeclareOptions extends OperationOptions {
  /**
   * How safe a confirmed message is: lost with the process that hosts the hub (`memory`), written
   * (`os`, survives the processes) or synced (`disk`, survives the machine). If not stated, `disk`
   * for the hub of a directory, else `memory`, which is all that such a hub has.
   */
  durability?: Durability
  /** Messages, waiting and held; 1,000,000 if not stated. */
  lengthMax?: number
  /**
   * Bytes of bodies, keys and headers; 256 MiB if not stated. At most 1 GiB in memory, at most
   * 1 TiB on disk.
   */
  bytesMax?: number
  /** At a bound sends `wait` for room (default) or are rejected as `FULL` at once. */
  overflow?: 'wait' | 'reject'
  /** Failed attempts after which a message is a dead letter, 1 to 1,000; 20 if not stated. */
  maxAttempts?: number
  /**
   * Pause after the first failed attempt, in ms, 1 to 86,400,000 (a day); 100 if not stated. It
   * doubles with each further one; each is drawn at random between half and all of its value.
   */
  backoffMinMs?: number
  /** Longest pause, in ms, not below `backoffMinMs`, at most a day; 60,000 if not stated. */
  backoffMaxMs?: number
  /**
   * Time after which a message that was handed over and not settled is taken back as a failed
   * attempt, in ms, 1 to 86,400,000 (a day); `Infinity` (the default) for never.
   */
  ackDeadlineMs?: number
  /**
   * Time after which a message that nobody holds is a dead letter, in ms, at least 1; `Infinity`
   * (the default) for never.
   */
  ttlMs?: number
  /**
   * The queue where dead letters go; `NAME.dead` if not stated, made when it is first needed, with
   * the same durability; `disk` also serves an `os` queue, and any other is a `MISMATCH`. Its own
   * `ttlMs` counts from a message's death. Without it a name may have at most 250 bytes. A queue
   * whose name ends with `.dead` has none unless it states one: what is rejected there is gone,
   * attempts never end.
   */
  deadLetter?: string
}

/** How a queue is consumed. */
export interface ConsumeOptions extends OperationOptions {
  /** Jobs held at once, those not yet iterated included; 64 if not stated. */
  prefetch?: number
  /** As the queue's `ackDeadlineMs`, for this consumer, 1 to 86,400,000; else the queue's. */
  ackDeadlineMs?: number
}

/** How safe a confirmed message is; see {@link DeclareOptions}. */
export type Durability = 'memory' | 'os' | 'disk'

/** What a confirmed send has reached. */
export class Receipt {
  private constructor()
  /** The message's id, unique in the hub. */
  readonly messageId: bigint
  /** How safe it is now. */
  readonly durability: Durability
}

/** A queue's figures, and how it is; see {@link DeclareOptions}. */
export interface QueueInfo {
  /** Messages waiting that could be handed out now. */
  ready: number
  /** Messages held by consumers. */
  held: number
  /** Messages that wait for their next attempt. */
  delayed: number
  /** Messages whose body on disk was found damaged: never handed out, they count until a purge. */
  damaged: number
  /** Bytes of bodies, keys and headers, waiting and held. */
  bytes: number
  sendsWaiting: number
  /** Consumers, and receives that wait. */
  consumers: number
  /** Messages stored since the queue was made, dead letters of other queues included. */
  sent: number
  acknowledged: number
  rejected: number
  /** Times that an attempt failed and the message was to be tried again. */
  requeued: number
  /** Messages that went to the dead-letter queue. */
  deadLettered: number
  lengthMax: number
  bytesMax: number
  overflow: 'wait' | 'reject'
  durability: Durability
  maxAttempts: number
  backoffMinMs: number
  backoffMaxMs: number
  /** `Infinity` if never. */
  ackDeadlineMs: number
  /** `Infinity` if never. */
  ttlMs: number
  /** Where dead letters go; `undefined` if nowhere. */
  deadLetter: string | undefined
  /** Patterns of topics that are bound to it, in order. */
  bindings: string[]
}

/** A queue of a hub. Unknown names end as `NOT_FOUND`, except for {@link Queue.declare}. */
export class Queue {
  private constructor()
  readonly name: string
  /**
   * Makes the queue; fine if it exists and is equal. After an error nothing has changed, except
   * where `maybeExecuted` says so: `MISMATCH` names the difference, `UNSUPPORTED` is for `os` and
   * `disk` where the hub has no directory, `NO_SPACE` for a full disk, `INVALID` and `TOO_LARGE`
   * name the option and its limit.
   */
  declare(options?: DeclareOptions): Promise<void>
  /**
   * Puts a message in; ends when it is as safe as the queue's `durability` says. After `NOT_FOUND`,
   * `FULL` (no room in time), `NO_SPACE` and `TOO_LARGE` nothing was stored.
   */
  send(body: Bytes, options?: MessageOptions): Promise<Receipt>
  /** Takes one message, to be settled; waits for it for `timeoutMs`. */
  receive(options?: OperationOptions): Promise<Job>
  /** Takes messages as they come: `for await (const job of queue.consume())`. */
  consume(options?: ConsumeOptions): Consumer
  /** The queue's figures. */
  inspect(options?: OperationOptions): Promise<QueueInfo>
  /**
   * Binds a pattern of topics; `*` stands for one segment, `**` for any number. From then on each
   * message that is published to a topic that matches is stored in this queue, once, whether
   * anybody is there or not; its header `telpher.topic` names the topic. A binding lives as long as
   * the queue, and binding what is bound changes nothing. `FULL` at the limit of 256 patterns for a
   * queue, and of 10,000 for a hub.
   */
  bind(pattern: string, options?: OperationOptions): Promise<void>
  /** Ends a binding; what was stored stays. `NOT_FOUND` if the pattern is not bound. */
  unbind(pattern: string, options?: OperationOptions): Promise<void>
  /** Removes the messages that nobody holds; returns their number. */
  purge(options?: OperationOptions): Promise<number>
  /** Removes the queue with everything in it; returns the number of messages. */
  delete(options?: OperationOptions): Promise<number>
}

/** Jobs of a queue. Leaving the loop closes it. A live one keeps its program alive. */
export class Consumer implements AsyncIterableIterator<Job> {
  private constructor()
  /** Ends when the consumer is live in the hub. */
  readonly started: Promise<void>
  next(): Promise<IteratorResult<Job, undefined>>
  /**
   * The next job. `PENDING` if none comes within `timeoutMs` (30,000 if not stated), `CANCELLED` if
   * the signal is aborted: then none was taken. `CLOSED` if the consumer is.
   */
  receive(options?: OperationOptions): Promise<Job>
  return(value?: undefined): Promise<IteratorResult<Job, undefined>>
  /** Stops consuming. Jobs not handed out yet go back; the others can still be settled. */
  close(): Promise<void>
  [Symbol.asyncIterator](): this
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A message of a queue, held until it is settled once; a second time is `STALE`. If it was taken
 * back before (its `ackDeadlineMs` passed), settling is `LEASE_LOST` and has no effect. On a disk
 * that is full to the last it may be `NO_SPACE`: the job is still held, and may be settled later.
 *
 * A dead letter says in its headers where it came from: `telpher.queue`, `telpher.reason`
 * (`rejected`, `requeued`, `late`, `crashed` or `expired`), `telpher.error` (the last reason's
 * text), `telpher.failures` (a decimal) and `telpher.history` (a line for each of the last 32
 * failed attempts: ms since 1970, why, text; fewer if its own headers leave no room for them). A
 * {@link Batch} sends it back: send to its origin, acknowledge here.
 */
export class Job implements Message {
  private constructor()
  readonly body: Buffer
  readonly key: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
  readonly priority: number
  /** The message's id, unique in the hub. */
  readonly messageId: bigint
  /** How often it was tried before and failed. */
  readonly failures: number
  /** True if somebody held it before. */
  readonly redelivered: boolean
  /** It is done: the message leaves the queue. */
  acknowledge(options?: { timeoutMs?: number }): Promise<void>
  /** It can never be done: the message goes to the dead-letter queue, with the reason. */
  reject(reason?: Reason, options?: { timeoutMs?: number }): Promise<void>
  /**
   * To be tried again: after a pause back to its place, with one more failure; at `maxAttempts` to
   * the dead-letter queue. The reason stays with it.
   */
  requeue(reason?: Reason, options?: { timeoutMs?: number }): Promise<void>
  /** Not touched: back to its place at once, with no failure. */
  release(options?: { timeoutMs?: number }): Promise<void>
  /**
   * Moves the end of the `ackDeadlineMs`: `ms` from now, at most 86,400,000 (a day); without, or
   * 0, its full length again. Does nothing if there is none. `LEASE_LOST` if the message was taken
   * back before, `STALE` if it was settled.
   */
  extend(ms?: number, options?: { timeoutMs?: number }): Promise<void>
}

/**
 * Why something is rejected or tried again. Text of more than 1,024 bytes is `TOO_LARGE`; of an
 * error it is name and message, cut to as much.
 */
export type Reason = string | Error

/**
 * Opens a hub.
 *
 * | URL | hub |
 * |---|---|
 * | `./data`, `file:///var/lib/app` | shared by every process here that opens the directory |
 * | `mem://name` | in this process |
 * | `tcp://host:port`, `unix:///path` | served elsewhere |
 *
 * | code | what is true |
 * |---|---|
 * | `NO_HOST`, `HOST_UNRESPONSIVE` | it was not reached in time |
 * | `CORRUPT` | the directory is damaged; the message names the file and the offset |
 * | `NO_SPACE` | this process would host, and the disk has no room to begin |
 */
export function open(url: string, options?: OpenOptions): Promise<Hub>
