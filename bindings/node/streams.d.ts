/// <reference types="node" />

import type { Bytes, Durability, OperationOptions } from './index'

/**
 * Streams: what is appended is kept in its order, and read by any number of readers, each at its
 * own pace. Part of `index.d.ts`.
 */

/** A stream of a hub. */
export class Stream {
  private constructor()
  readonly name: string
  /**
   * Makes the stream, or checks that it is as stated.
   *
   * | code | what is true |
   * |---|---|
   * | `INVALID`, `CLOSED` at the start | nothing was sent |
   * | `MISMATCH` | it exists with other options; the text names the difference |
   * | `UNSUPPORTED` | the hub has no directory, and a durability that needs one was stated |
   */
  declare(options?: DeclareStreamOptions): Promise<void>
  /**
   * Appends a record; ends when it is as safe as the stream promises. Records with the same key are
   * in one partition, in their order; those without a key go anywhere. It is there once, also when
   * the connection breaks or the host changes meanwhile. What is appended while something is on its
   * way goes with what follows, in one batch: start many and await them together.
   *
   * | code | what is true |
   * |---|---|
   * | `INVALID`, `TOO_LARGE`, `FULL`, `CLOSED` at the start | nothing was sent |
   * | `NOT_FOUND`, `NO_SPACE`, `EXPIRED` | nothing was appended |
   * | `FULL` | the disk was behind until the time was over: nothing was appended |
   * | `CONFLICT` | another offset was expected: nothing was appended |
   * | `MISMATCH` | the stream was made anew meanwhile: nothing was appended |
   * | `CANCELLED`, `CLOSED`, `HOST_UNRESPONSIVE`, `HOST_LOST` | `maybeExecuted` tells |
   *
   * `TOO_LARGE` is also for a record that is larger than all that a partition keeps.
   */
  append(body: Bytes, options?: AppendOptions): Promise<Appended>
  /**
   * Reads records, each partition in its order: `for await (const record of stream.read())`. Throws
   * `INVALID` for a wrong option and `CLOSED`.
   */
  read(options?: ReadOptions): Reader
  /** Its reader groups, and how far each has come. `NOT_FOUND` if there is no such stream. */
  groups(options?: OperationOptions): Promise<GroupInfo[]>
  /**
   * Puts a reader group to another place, in one partition or in all of them. What its members have
   * read before and commit later is `LEASE_LOST`.
   *
   * | code | what is true |
   * |---|---|
   * | `NOT_FOUND` | there is no such stream or group |
   * | `OUT_OF_RANGE` | the offset is not kept; the text has the range. The group is where it was |
   * | `NO_SPACE` | the disk is full to the last. The group is where it was |
   * | `INVALID` | the stream has no such partition, or an argument is wrong |
   */
  resetGroup(group: string, options?: ResetGroupOptions): Promise<void>
  /** Removes a reader group with its places; its readers end as `NOT_FOUND`. `NOT_FOUND`. */
  deleteGroup(group: string, options?: OperationOptions): Promise<void>
  /**
   * Binds a pattern of topics; `*` stands for one segment, `**` for any number. From then on each
   * message that is published to a topic that matches is appended to this stream, once, whether
   * anybody is there or not: to the partition of its key, or without a key to any. Its header
   * `telpher.topic` names the topic. A binding lives as long as the stream, and binding what is
   * bound changes nothing. `FULL` at the limit of 256 patterns for a stream, and of 10,000 for a
   * hub.
   */
  bind(pattern: string, options?: OperationOptions): Promise<void>
  /** Ends a binding; what was appended stays. `NOT_FOUND` if the pattern is not bound. */
  unbind(pattern: string, options?: OperationOptions): Promise<void>
  /** Its figures, and how it is. `NOT_FOUND` if there is no such stream. */
  inspect(options?: OperationOptions): Promise<StreamInfo>
  /** Removes it with everything in it; whoever reads it hears so. `NOT_FOUND`. */
  delete(options?: OperationOptions): Promise<void>
}

/**
 * How a stream is. Numbers are whole. What was appended in one batch is removed at once, and so is
 * what a hub has put together on its disk, which is at most a sixteenth of each limit: what is kept
 * differs from the limits by as much, and of records it is never less.
 */
export interface DeclareStreamOptions extends OperationOptions {
  /** Parts that keep an order each, 1 to 1,024; 1 if not stated. */
  partitions?: number
  /** As for a queue: see {@link Durability}. `disk` for the hub of a directory, else `memory`. */
  durability?: Durability
  /** Age from which records are removed, in ms, at least 1; `Infinity` (the default) for never. */
  ageMaxMs?: number
  /**
   * Bytes of one partition from which on its oldest records are removed; 64 MiB in memory and 1 GiB
   * on disk if not stated. At most 1 GiB in memory, at most 1 TiB on disk.
   */
  bytesMax?: number
  /**
   * Records of one partition from which on its oldest are removed, at least 1; `Infinity` (the
   * default) for any number.
   */
  recordsMax?: number
  /**
   * Keep of each key the latest record at least: those that a later one of their partition has
   * replaced are removed in the background. Each record needs a key (`INVALID`); one with an empty
   * body, a tombstone, says that its key is gone. Offsets stay as they are, and the limits hold as
   * well. Not so if not stated.
   */
  compact?: boolean
  /**
   * With `compact`: age from which tombstones are removed, in ms, at least 1; one day if not
   * stated. A reader that is further behind may miss that a key is gone.
   */
  tombstoneAgeMs?: number
  /**
   * What a reader group has not committed stays: an append for which `bytesMax` or `recordsMax`
   * would remove it is `FULL`, and `ageMaxMs` waits. If not stated the limits win, and the group's
   * reader is told what it has missed.
   */
  keepUnread?: boolean
  /**
   * How programs pack their records, as they stay until they are read: `lz4` (fast) or `zstd`
   * (smaller); not at all if not stated.
   */
  compression?: 'lz4' | 'zstd'
}

/** How a record is appended. */
export interface AppendOptions extends OperationOptions {
  /** Says which records belong together, and so their partition; at most 1,024 bytes. */
  key?: Bytes
  /** Names and values; at most 65,536 bytes in all. */
  headers?: Record<string, Bytes>
  /** The partition, from 0; if not stated, that of the key, or anyone. */
  partition?: number
  /**
   * Append only if this is the offset that the record gets; else it is a `CONFLICT`. Needs a key or
   * a partition if the stream has several.
   */
  expect?: bigint | number
}

/** Where a confirmed record is. */
export class Appended {
  private constructor()
  /** The part of the stream that it is in, from 0. */
  readonly partition: number
  /** Counts the records of the partition, from 0, without a gap. */
  readonly offset: bigint
  /** How safe it is now. */
  readonly durability: Durability
}

/**
 * Where reading begins, in each partition that is read: at the oldest record that is kept, behind
 * the newest, at an offset (or at the next to be appended), or at the oldest record that was
 * appended at a time or later, by the hub's clock. A time as a number is in ms since 1970. A group
 * begins with the batch in which that record lies, so it may begin a little earlier.
 */
export type Start =
  'beginning' | 'end' | { readonly offset: bigint | number } | { readonly time: Date | number }

/** Which records are read. */
export interface ReadOptions extends OperationOptions {
  /** Where reading begins; `beginning` if not stated. */
  start?: Start
  /** The partition, from 0; all if not stated. */
  partition?: number
  /**
   * Goes on with what is appended later. If not (the default), reading ends where the stream ended
   * when it began.
   */
  follow?: boolean
  /**
   * The group that the reader is a member of. It is made if it is new, and then begins at `start`.
   * The partitions are spread over its members, each goes on where the group has committed, and it
   * follows, also without `follow`. `INVALID` together with `partition`.
   */
  group?: string
  /** Bytes of records that may wait here for the program, 1 to 64 MiB; 1 MiB if not stated. */
  buffer?: number
  /**
   * Only records with exactly this key, of 1 to 1,024 bytes; the hub passes over the others. All
   * members of a group should state the same key and headers: what is passed over for one counts as
   * done for the group, once everything before it is committed.
   */
  key?: Bytes
  /** Only records that have each of these headers, at most 8, with exactly this value. */
  headers?: Record<string, Bytes>
  /**
   * With `group`, in ms, 1 to 86,400,000; `Infinity` (the default) for any time. A member that was
   * handed records (those that wait here count) and commits nothing for that long ends as
   * `LEASE_LOST`, and its partitions go to others; it may read anew. Each commit begins the time
   * anew, as does a new connection or host.
   */
  maxProcessingMs?: number
}

/** Where a reader group is put. */
export interface ResetGroupOptions extends OperationOptions {
  /** The place, in each partition that is meant; `beginning` if not stated. */
  start?: Start
  /** The partition, from 0; all if not stated. */
  partition?: number
}

/** A reader group, and how far it has come. */
export interface GroupInfo {
  name: string
  /** Readers that are members now. */
  members: number
  /** One for each partition, in their order. */
  places: GroupPlace[]
}

/** How far a reader group has come in one partition. */
export interface GroupPlace {
  /** The next offset: what is below is committed. */
  next: bigint
  /** Records that it has still before it. */
  lag: number
  /** A member reads it now. */
  isRead: boolean
}

/**
 * Records of a stream. Leaving the loop closes it; so does aborting its signal, without an error.
 * A live one keeps its program alive, and goes on by itself when its connection breaks or the hub
 * gets another host: no record is missed and none comes twice. A slow one slows nobody: when the
 * limits of the stream have taken what it was to read next, it ends with an error.
 *
 * A member of a group goes on where the group has committed: what was not committed comes again, to
 * whoever has the partition next. It does not end as `OUT_OF_RANGE` for what the limits have taken:
 * that is passed over, and {@link StreamRecord.skipped} tells how much. If the group is deleted it
 * ends as `NOT_FOUND`; if the stream has as many groups as it may, and this were one more, as
 * `FULL`; if it has committed nothing for its `maxProcessingMs`, as `LEASE_LOST`.
 *
 * | code | why reading ended |
 * |---|---|
 * | `OUT_OF_RANGE` | what was to be read next is not kept; the text has the range that is |
 * | `NOT_FOUND` | there is no such stream, or it was deleted |
 * | `INVALID` | the stream has no such partition |
 * | `CORRUPT` | records are damaged on disk |
 * | `HOST_UNRESPONSIVE` | it did not begin within `timeoutMs` |
 */
export class Reader implements AsyncIterableIterator<StreamRecord> {
  private constructor()
  /** Ends when the reader is live in the hub: with `start: 'end'`, what is appended then comes. */
  readonly started: Promise<void>
  /** The next record. Records that came before an error are handed out before it. */
  next(): Promise<IteratorResult<StreamRecord, undefined>>
  /**
   * The next record. `PENDING` if none comes within `timeoutMs` (30,000 if not stated), `CANCELLED`
   * if the signal is aborted: then none was taken. `CLOSED` if the reader is closed or at its end.
   */
  receive(options?: OperationOptions): Promise<StreamRecord>
  /**
   * Says that the reader's group has done its work up to this record of this reader, all before it
   * in its partition included. Ends when that is as safe as the stream promises; need not be waited
   * for before the next. A place never goes back.
   *
   * | code | what is true |
   * |---|---|
   * | `INVALID` | the reader is in no group, or the record is not its own: nothing was sent |
   * | `LEASE_LOST` | another member has the partition, or the group was reset, or the reader has |
   * | | ended: nothing has changed |
   * | `NO_SPACE` | the disk is full to the last: nothing has changed; it may be committed again |
   * | `CANCELLED`, `CLOSED`, `HOST_UNRESPONSIVE`, `HOST_LOST` | `maybeExecuted` tells |
   */
  commit(record: StreamRecord, options?: OperationOptions): Promise<void>
  return(value?: undefined): Promise<IteratorResult<StreamRecord, undefined>>
  /** Stops reading. */
  close(): Promise<void>
  [Symbol.asyncIterator](): this
  [Symbol.asyncDispose](): Promise<void>
}

/** A record of a stream. */
export class StreamRecord {
  private constructor()
  /** The part of the stream that it is in, from 0. */
  readonly partition: number
  /** Counts the records of the partition, from 0, without a gap. */
  readonly offset: bigint
  /**
   * When it was appended, by the hub's clock, in ms since 1970; never less than that of the record
   * before it.
   */
  readonly timeMs: number
  /**
   * Records of the partition right before it that never come, as the stream's limits have taken
   * them before the reader's group read them; 0 for a reader without a group.
   */
  readonly skipped: number
  readonly body: Buffer
  /** Empty if none was given. */
  readonly key: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
}

/** A stream's figures, and how it is; see {@link DeclareStreamOptions}. */
export interface StreamInfo {
  /** One for each partition, in their order. */
  partitions: PartitionInfo[]
  durability: Durability
  ageMaxMs: number
  bytesMax: number
  recordsMax: number
  compact: boolean
  /** With `compact`: age from which tombstones are removed, in ms; `undefined` without it. */
  tombstoneAgeMs: number | undefined
  keepUnread: boolean
  /** How programs pack their records; `undefined`: not at all. */
  compression: 'lz4' | 'zstd' | undefined
  /** Patterns of topics that are bound to it, in order. */
  bindings: string[]
}

/** A partition's figures. */
export interface PartitionInfo {
  /** The offset of the oldest record that is kept; that of the next one if none is. */
  first: bigint
  /** The offset that the next record gets. */
  next: bigint
  /** Bytes of what is kept. */
  bytes: number
}
