/// <reference types="node" />

import type { Bytes, Hub, Job, OperationOptions, Properties, Reason, Receipt } from './index'
import type { AppendOptions, Reader, StreamRecord } from './streams'

/** Batches of sends, publishes, appends, settlements and commits. Part of `index.d.ts`. */

/**
 * Sends, publishes, appends, settlements and commits that are done all or not at all, in their
 * order. Made by {@link Hub.batch}. Adding a part copies its bytes; it throws what is wrong with it
 * at once (`INVALID`, `TOO_LARGE`, `CLOSED`), and then the batch is as it was. Only how long a key
 * and headers are is checked when it is submitted.
 */
export class Batch {
  private constructor()
  /** Parts so far. A batch has 1 to 1,024, with at most 8 MiB of bodies, keys and headers. */
  readonly length: number
  /** A message for the queue of this name. A queue that is full refuses the batch at once. */
  send(queue: string, body: Bytes, options?: Properties): this
  /**
   * A message for whoever is subscribed to the topic, published only if the batch is done. A
   * subscriber may lose it like any other. What is stored where the topic is bound is a part of the
   * batch: a queue that is full refuses it.
   */
  publish(topic: string, body: Bytes, options?: Properties): this
  /**
   * A record for the stream of this name, as {@link Stream.append}; nothing is told of where it is.
   * A partition or key must be stated with `expect`, which counts what the batch appends before.
   */
  append(stream: string, body: Bytes, options?: Omit<AppendOptions, keyof OperationOptions>): this
  /**
   * As {@link Reader.commit}; for a reader of this hub handle. So what is sent and appended for a
   * record is done once, whoever crashes: with the commit, or not at all.
   */
  commit(reader: Reader, record: StreamRecord): this
  /** As {@link Job.acknowledge}; for a job of this hub handle, as in all that follow. */
  acknowledge(job: Job): this
  /** As {@link Job.reject}. */
  reject(job: Job, reason?: Reason): this
  /** As {@link Job.requeue}. */
  requeue(job: Job, reason?: Reason): this
  /** As {@link Job.release}. */
  release(job: Job): this
  /**
   * Does all of it; ends with a receipt for each send, in order, when all of it is as safe as the
   * safest queue or stream among them wants. Nothing is told of appends. Queues and streams in
   * memory cannot share a batch with those on disk.
   *
   * | error | what is true |
   * |---|---|
   * | `maybeExecuted` is false | nothing was done; its jobs can still be settled |
   * | `maybeExecuted` is true | all of it was done or nothing; its jobs count as settled |
   *
   * `NOT_FOUND`, `FULL`, `NO_SPACE`, `UNSUPPORTED`, `STALE`, `LEASE_LOST` and `CONFLICT` are of the
   * first kind, and so is `INVALID` for a batch without parts; the text names the part, counted
   * from 0. A queue or stream without room is `FULL` at once; for a disk that is behind the batch
   * waits until its time is over.
   *
   * A batch is submitted once, whatever comes of it: after that, submitting it or adding to it is
   * `STALE`. To try what was refused again, make a new one.
   */
  submit(options?: OperationOptions): Promise<Receipt[]>
}
