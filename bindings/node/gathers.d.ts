/// <reference types="node" />

import type { MessageOptions } from './index'
import type { TelpherError } from './errors'

/** Answers of many to one request. Part of `index.d.ts`. */

/** How answers are gathered. */
export interface GatherOptions extends MessageOptions {
  /** Answers after which it ends, failures not counted, 0 to 4,096; 0, all, if not stated. */
  count?: number
}

/** An answer to a gather. */
export interface GatherAnswer {
  /**
   * Who gives it: a number that an instance or subscriber keeps while it is registered with one
   * host, and that no other has.
   */
  readonly instance: bigint
  /**
   * What whoever gives it calls itself; undefined if it has stated no name. Several may have stated
   * the same: `instance` tells them apart.
   */
  readonly instanceName: string | undefined
  /** The answer; undefined if the handler failed. */
  readonly body: Buffer | undefined
  /** Empty if none was given. */
  readonly key: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
  readonly priority: number
  /** How the handler failed: `REMOTE`, or `ABANDONED` if it let go; undefined if it did not. */
  readonly error: TelpherError | undefined
}

/** One that was asked and did not answer. */
export interface Missing {
  /** Who, as in the answers of other gathers. */
  readonly instance: bigint
  /** What it calls itself, as in answers. */
  readonly instanceName: string | undefined
  /**
   * Why, and whether it may have run: `TIMED_OUT`, `EXPIRED` (it was busy all the time),
   * `CANCELLED` (enough others have answered), `BUSY`, `NO_SERVICE` (it stopped before it was
   * asked), `ABANDONED` (its session ended) or `LOST`.
   */
  readonly error: TelpherError
}

/** How a gather ended. All that were asked are answered, failed or missing. */
export interface Gathered {
  readonly answered: number
  /** Answers that say that the handler failed. */
  readonly failed: number
  /** Who did not answer, in the order in which they were asked. */
  readonly missing: Missing[]
}

/**
 * Answers as they come. Leaving the loop cancels what is still open. At most 64 MiB of them wait
 * here for the program; those beyond are lost, and their instances missing as `LOST`.
 *
 * | code | what is true |
 * |---|---|
 * | `NO_SERVICE`, `BUSY`, `TOO_LARGE`, `EXPIRED` | nobody was asked |
 * | `CANCELLED`, `HOST_LOST`, `HOST_UNRESPONSIVE`, `CLOSED` | `maybeExecuted` tells |
 */
export class Gather implements AsyncIterableIterator<GatherAnswer> {
  private constructor()
  /** Who did not answer, once it has ended; until then empty. */
  readonly missing: Missing[]
  next(): Promise<IteratorResult<GatherAnswer, undefined>>
  /** Ends when the gather has; answers that were not taken by then are gone. */
  result(): Promise<Gathered>
  /** Asks for its end: it still ends once, and the result may win. */
  cancel(): void
  return(value?: undefined): Promise<IteratorResult<GatherAnswer, undefined>>
  /** Cancels it, and waits for its end. */
  close(): Promise<void>
  [Symbol.asyncIterator](): this
  [Symbol.asyncDispose](): Promise<void>
}
