/// <reference types="node" />

import type { Gather, GatherOptions } from './gathers'
import type { Bytes, MessageOptions, OperationOptions } from './index'

/**
 * Topics: what is published goes to whoever is subscribed in that moment. Part of `index.d.ts`.
 */

/**
 * A topic of a hub: a message is for those who are there, and for queues and streams to which it is
 * bound.
 */
export class Topic {
  private constructor()
  readonly name: string
  /**
   * Gives a message to whoever is subscribed in this moment, at most once; that is nobody if nobody
   * is there. A subscriber that is slow does not hold it up, unless the topic is declared so
   * ({@link Topics.declare}): then it waits in line for it. It is also stored in every queue and
   * stream to which the topic is bound ({@link Queue.bind}, {@link Stream.bind}), in all or in
   * none; it ends when the hub has done so, and that is as safe as the safest of these promises.
   * Priority is for queues.
   *
   * | code | what is true |
   * |---|---|
   * | `INVALID`, `TOO_LARGE`, `FULL`, `CLOSED` at the start | nothing was sent |
   * | `EXPIRED` | in time neither the hub nor a slow subscriber had room: it was not published |
   * | `FULL` of a declared topic | as many wait for slow subscribers as may; given to nobody |
   * | `FULL`, `NO_SPACE`, `TOO_LARGE` of what it is bound to | stored nowhere, given to nobody |
   * | `INVALID` of a stream that needs a key | stored nowhere, given to nobody |
   * | `INDETERMINATE` | the hub changed its host, and the topic is not bound: it may be published |
   * | `HOST_LOST` | the session is gone; `maybeExecuted` tells |
   * | `CANCELLED`, `CLOSED`, `HOST_UNRESPONSIVE` | `maybeExecuted` tells |
   *
   * `INVALID` is also for a name with an empty segment. Nothing is published twice.
   */
  publish(body: Bytes, options?: MessageOptions): Promise<void>
  /**
   * Publishes a message and takes the answers of those who are subscribed in this moment, as
   * {@link Hub.gather} does those of instances. Without a subscriber it is empty.
   */
  gather(body: Bytes, options?: GatherOptions): Gather
}

/** How topics are declared; what is not stated has the default. */
export interface TopicOptions extends OperationOptions {
  /**
   * What happens while the buffer that a subscriber has in the hub is full: with `drop`, the
   * default, it loses its oldest messages; with `wait`, publishes wait in line for it.
   */
  overflow?: 'drop' | 'wait'
  /** With `wait`: publishes that may wait, 1 to 1,048,576; 1,024 if not stated. */
  lineMax?: number
}

/** A declaration of topics, and what waits because of it. */
export interface TopicInfo {
  overflow: 'drop' | 'wait'
  /** Publishes that may wait in line; 0 if none ever does. */
  lineMax: number
  /** Publishes that wait in line now. */
  waiting: number
}

/** Topics of a hub by a pattern that they match. What nobody declares is as by default. */
export class Topics {
  private constructor()
  readonly pattern: string
  /**
   * Says how these topics are; fine if they are declared so already. With `wait` in any declaration
   * that matches a topic, a publish to it waits until every subscriber that matches has room, so
   * that none of them loses it for being slow; meanwhile nobody has got it, and it is stored
   * nowhere. Publishes to one topic go on in the order in which they came. A publish of a batch
   * does not wait: without room the batch is `FULL`. Nor does a gather, whose request a slow
   * subscriber may lose. A declaration outlives the hosts of a hub with a directory.
   *
   * After an error nothing was declared, except where `maybeExecuted` says so: `MISMATCH` names the
   * difference, `FULL` is the limit of 10,000 for a hub, `NO_SPACE` is for a full disk, `INVALID`
   * and `TOO_LARGE` name what is wrong.
   */
  declare(options?: TopicOptions): Promise<void>
  /** How they are declared. `NOT_FOUND` if this very pattern is not. */
  inspect(options?: OperationOptions): Promise<TopicInfo>
  /**
   * Removes the declaration; what waits in line because of it alone is published. `NOT_FOUND` if
   * this very pattern is not declared.
   */
  delete(options?: OperationOptions): Promise<void>
}

/** How topics are subscribed to. */
export interface SubscribeOptions extends OperationOptions {
  /**
   * Messages on their way to the program, those that wait here for it included, 1 to 65,536; 1,024
   * if not stated. At most 16 MiB of them are sent, and as many more wait in the hub. When there
   * are more, the oldest that wait there are lost, and {@link TopicMessage.lost} of the next one
   * tells how many; or publishers wait, where the topic is declared so ({@link Topics.declare}).
   */
  buffer?: number
  /** What it calls itself to whoever gathers its answers, as in `ServeOptions`. */
  instanceName?: string
}

/**
 * Messages of topics. Leaving the loop closes it. A live one keeps its program alive, and goes on
 * by itself when its connection breaks or the hub gets another host; what is published meanwhile
 * may be lost.
 */
export class Subscriber implements AsyncIterableIterator<TopicMessage> {
  private constructor()
  /** Ends when the subscription is live in the hub: what is published from now on arrives. */
  readonly started: Promise<void>
  next(): Promise<IteratorResult<TopicMessage, undefined>>
  /**
   * The next message. `PENDING` if none comes within `timeoutMs` (30,000 if not stated),
   * `CANCELLED` if the signal is aborted: then none was taken. `CLOSED` if the subscriber is.
   */
  receive(options?: OperationOptions): Promise<TopicMessage>
  return(value?: undefined): Promise<IteratorResult<TopicMessage, undefined>>
  /** Ends the subscription. Messages that wait here are gone. */
  close(): Promise<void>
  [Symbol.asyncIterator](): this
  [Symbol.asyncDispose](): Promise<void>
}

/** A message that was published. It need not be settled. */
export class TopicMessage {
  private constructor()
  readonly body: Buffer
  /** Empty if none was given. */
  readonly key: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
  readonly priority: number
  /** Where it was published. */
  readonly topic: string
  /** Counts the messages of this subscriber from 1: that of the one before, and `lost`, and 1. */
  readonly number: number
  /**
   * Messages right before it that were lost, as the program was too slow or its connection broke.
   * What was published while its host was gone is not counted.
   */
  readonly lost: number
  /** True if whoever published it gathers answers. It may be answered once, or not at all. */
  readonly wantsReply: boolean
  /** True if nobody waits for an answer, or no longer. */
  readonly cancelled: boolean
  /**
   * Answers. Throws `INVALID` if nobody gathers answers, `STALE` if it was answered before or
   * nobody waits any more, `TOO_LARGE`, `CLOSED`.
   */
  reply(body: Bytes, properties?: Pick<MessageOptions, 'key' | 'headers' | 'priority'>): void
  /** Says that it can't be answered: whoever gathers gets `REMOTE` with this text and code (1). */
  fail(text: string, options?: { code?: number }): void
}
