/**
 * Telpher's one error, and the table of its codes. Part of `index.d.ts`.
 */

/** Every error code, the same in every language. */
export type TelpherErrorCode =
  /** An argument is wrong; the text says which, its limit and its value. */
  | 'INVALID'
  /** A body, key, header or name is over its limit. */
  | 'TOO_LARGE'
  /** As much is in flight as may be, or the queue is full. Nothing was stored. */
  | 'FULL'
  /** The delivery or request was settled or answered before, or the batch submitted. */
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
  /** The disk is full. Nothing was stored; settling what is held frees room. */
  | 'NO_SPACE'
  /** Damage was found on disk; the text names the file and the offset. Nothing of it is used. */
  | 'CORRUPT'
  | 'LOST'
  /** The offset is not kept; the text has the range that is. */
  | 'OUT_OF_RANGE'
  /** Another offset was expected; the text has the next one. Nothing was appended. */
  | 'CONFLICT'

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
