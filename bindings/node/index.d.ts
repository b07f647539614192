/// <reference types="node" />

import { EventEmitter } from 'node:events'

/**
 * Telpher: messaging as a library. Services call each other and share queues through a *hub*,
 * which nobody has to install or start.
 *
 * Every operation returns a promise that ends exactly once, no later than its deadline (30 s if
 * none is stated). Failures are a {@link TelpherError}. A program ends by itself when nothing is
 * open any more: no operation, consumer or service.
 */

/** The version of this package. */
export const version: string

/** Bytes, or text that is sent as UTF-8. Bytes are copied before the function returns. */
export type Bytes = Uint8Array | string

/** Every error code, the same in every language. */
export type TelpherErrorCode =
  /** An argument is wrong; the text says which, its limit and its value. */
  | 'INVALID'
  /** A body, key, header or name is over its limit. */
  | 'TOO_LARGE'
  /** As much is in flight as may be, or the queue is full. Nothing was stored. */
  | 'FULL'
  /** The delivery or request was settled or answered before. */
  | 'STALE'
  /** The hub is closed, or was while the operation was open. */
  | 'CLOSED'
  /** The time of a wait passed first. */
  | 'PENDING'
  /** The handle belongs to the parent of this process. */
  | 'FORKED'
  /** Waiting here would wait for oneself. */
  | 'WOULD_DEADLOCK'
  /** The hub cannot do this; the text names the feature. */
  | 'UNSUPPORTED'
  /** No queue has this name. */
  | 'NOT_FOUND'
  /** It exists with other options; the text names the difference. */
  | 'MISMATCH'
  /** No instance serves this name. The request was not run. */
  | 'NO_SERVICE'
  /** The service's line of waiting requests is full. The request was not run. */
  | 'BUSY'
  /** The time ran out before the operation began. It was dropped unrun. */
  | 'EXPIRED'
  /** The time ran out while the handler was running. */
  | 'TIMED_OUT'
  /** The handler failed; the error carries its code and text. */
  | 'REMOTE'
  /** The handler let go of the request, or ended, without an answer. */
  | 'ABANDONED'
  /** Cancelled at the program's own wish; `cause` is the signal's reason. */
  | 'CANCELLED'
  /** The host that held the operation is gone. */
  | 'HOST_LOST'
  /** The deadline passed without a verdict of the hub. */
  | 'HOST_UNRESPONSIVE'
  /** Nobody hosts the hub and this handle may not, or it could not be reached in time. */
  | 'NO_HOST'
  /** The delivery or request was taken back before. */
  | 'LEASE_LOST'
  /** The hub does not know this producer any more. */
  | 'UNKNOWN_PRODUCER'
  /** Whether it was done cannot be found out. */
  | 'INDETERMINATE'
  /** The other side broke the wire protocol. */
  | 'PROTOCOL'
  /** Refused by policy: not without a stated permission. */
  | 'REFUSED'
  /** The operating system refused; the text carries its words. */
  | 'IO'
  /** A signal arrived during a wait. */
  | 'INTERRUPTED'
  /** A fault in Telpher itself was caught; the handle refuses further work. */
  | 'INTERNAL'

/** One row of the table of errors. */
export interface CodeRow {
  /** Its number, as in C. */
  readonly number: number
  readonly code: TelpherErrorCode
  /** Whether the operation may have taken effect; `depends`: each error says. */
  readonly executed: 'never' | 'maybe' | 'depends'
  /** What it means, in a sentence or two. */
  readonly meaning: string
}

/** The table of errors. */
export const codes: readonly CodeRow[]

/** Why an operation could not be started, or how it ended. */
export class TelpherError extends Error {
  constructor(
    code: TelpherErrorCode,
    detail?: string,
    options?: { cause?: unknown; maybeExecuted?: boolean; remoteCode?: number },
  )
  readonly name: 'TelpherError'
  readonly code: TelpherErrorCode
  /** What was wrong, without the code. */
  readonly detail: string
  /** True if the operation may have taken effect: the handler may have run. */
  readonly maybeExecuted: boolean
  /** For `REMOTE`: the code that the failing handler gave; else 0. */
  readonly remoteCode: number
}

/** What every operation takes. */
export interface OperationOptions {
  /**
   * Time until it ends in any case, in ms; 30,000 if not stated. `Infinity` for none, only where
   * waiting is the purpose: `receive`, `serve` and `consume`.
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
  /** True if queues are kept in memory only. */
  memoryOnly: boolean
}

/** Something happened to the hub. */
export type Notice =
  /** The connection broke; the handle tries to reach the hub again. */
  | { kind: 'DISCONNECTED'; reason: string }
  /** The connection is back, and the session with it. */
  | { kind: 'RESUMED' }
  /**
   * Another host has taken over: open operations ended as `HOST_LOST`, jobs are void, consumers
   * and services go on by themselves. `memoryLost`: what queues held in memory is gone.
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
  /** What the hub can do, by name: `calls`, `queues.memory`, ... */
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

  /** The queue of this name; nothing is sent yet. */
  queue(name: string): Queue

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

/** How a queue is. */
export interface DeclareOptions extends OperationOptions {
  /** How safe a confirmed message is; if not stated, as the hub's URL has it. */
  durability?: 'memory' | 'os' | 'disk'
  /** Messages, waiting and held; 1,000,000 if not stated. */
  lengthMax?: number
  /** Bytes of bodies, keys and headers; 256 MiB if not stated. */
  bytesMax?: number
  /** At a bound sends `wait` for room (default) or are rejected as `FULL` at once. */
  overflow?: 'wait' | 'reject'
}

/** How a queue is consumed. */
export interface ConsumeOptions extends OperationOptions {
  /** Jobs held at once, those not yet iterated included; 64 if not stated. */
  prefetch?: number
}

/** What a confirmed send has reached. */
export class Receipt {
  private constructor()
  /** The message's id, unique in the hub. */
  readonly messageId: bigint
  /** How safe it is now. */
  readonly durability: 'memory' | 'os' | 'disk'
}

/** A queue's figures. */
export interface QueueInfo {
  ready: number
  held: number
  bytes: number
  sendsWaiting: number
  consumers: number
  sent: number
  acknowledged: number
  rejected: number
  requeued: number
  lengthMax: number
  bytesMax: number
  overflow: 'wait' | 'reject'
  durability: 'memory' | 'os' | 'disk'
}

/** A queue of a hub. Unknown names end as `NOT_FOUND`, except for {@link Queue.declare}. */
export class Queue {
  private constructor()
  readonly name: string
  /** Makes the queue; fine if it exists and is equal, else `MISMATCH`. */
  declare(options?: DeclareOptions): Promise<void>
  /** Puts a message in; ends when it is as safe as the queue's `durability` says. */
  send(body: Bytes, options?: MessageOptions): Promise<Receipt>
  /** Takes one message, to be settled; waits for it for `timeoutMs`. */
  receive(options?: OperationOptions): Promise<Job>
  /** Takes messages as they come: `for await (const job of queue.consume())`. */
  consume(options?: ConsumeOptions): Consumer
  /** The queue's figures. */
  inspect(options?: OperationOptions): Promise<QueueInfo>
  /** Removes the messages that nobody holds; returns their number. */
  purge(options?: OperationOptions): Promise<number>
  /** Removes the queue with everything in it; returns the number of messages. */
  delete(options?: OperationOptions): Promise<number>
}

/** Jobs of a queue. Leaving the loop closes it. */
export class Consumer implements AsyncIterableIterator<Job> {
  private constructor()
  /** Ends when the consumer is live in the hub. */
  readonly started: Promise<void>
  next(): Promise<IteratorResult<Job, undefined>>
  return(value?: undefined): Promise<IteratorResult<Job, undefined>>
  /** Stops consuming. Jobs not handed out yet go back; the others can still be settled. */
  close(): Promise<void>
  [Symbol.asyncIterator](): this
  [Symbol.asyncDispose](): Promise<void>
}

/** A message of a queue, held until it is settled once; a second time is `STALE`. */
export class Job implements Message {
  private constructor()
  readonly body: Buffer
  readonly key: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
  readonly priority: number
  /** The message's id, unique in the hub. */
  readonly messageId: bigint
  /** How often it was tried before and requeued. */
  readonly failures: number
  /** True if somebody held it before. */
  readonly redelivered: boolean
  /** It is done: the message leaves the queue. */
  acknowledge(options?: { timeoutMs?: number }): Promise<void>
  /** It can never be done: the message leaves the queue, counted as rejected. */
  reject(options?: { timeoutMs?: number }): Promise<void>
  /** To be tried again: back to its place, with one more failure. */
  requeue(options?: { timeoutMs?: number }): Promise<void>
  /** Not touched: back to its place, with no failure. */
  release(options?: { timeoutMs?: number }): Promise<void>
}

/**
 * Opens a hub.
 *
 * | URL | hub |
 * |---|---|
 * | `./data`, `file:///var/lib/app` | shared by every process here that opens the directory |
 * | `mem://name` | in this process |
 * | `tcp://host:port`, `unix:///path` | served elsewhere |
 */
export function open(url: string, options?: OpenOptions): Promise<Hub>
