"""Which way to use when, with the figures of the run that was just seen."""

import textwrap
from collections.abc import Sequence

from trial import BLOCKING, FLYING, QUEUE, STREAM, Row, Way

WIDTH = 80

WORDS = """
Blocking calls: when somebody waits for the answer, and few do at once. Nothing is simpler. Each
order under way holds a thread ({threads} at most here). What ends as TIMED_OUT or ABANDONED may
have been done, or half of it ({unsure} of {overload} orders under overload).

Non-blocking calls: the same when many are under way; {flying_threads} thread held all of them.
Nothing holds them back, so the service must: it refused {busy} of {overload} at once as BUSY, and
did the others in time. What comes while it is dead is lost ({no_service} of {dead} orders). That is
NO_SERVICE, so nothing was done, and the caller may try again.

Queue: when the work must be done, now or later, and nobody waits for an answer. A dead worker costs
time and no orders ({queue_lost} of {dead} lost). What comes faster than it can be done is done late
({queue_late} of {overload} orders), unless the queue has a bound.

Event stream: when others read the same orders too, or again, or want them in their sequence. It
loses as little as a queue ({stream_lost} of {dead}). A slow order holds up those behind it in its
partition (p99 {stream_p99} ms, in the queue {queue_p99} ms), and what a dead worker had done and
not committed comes again ({stream_again} orders done twice without ids, of the queue
{queue_again}).

In each way the same order can come twice. Note its id in the transaction that makes the effect:
with ids {with_ids} orders were done twice here, without {without_ids}.
"""


def advice(rows: Sequence[Row]) -> str:
    """The words, with the figures of these rows."""

    def of(way: Way, fault: str) -> Row:
        return next(row for row in rows if (row.way, row.fault) == (way.name, fault))

    def p99(way: Way) -> str:
        return f"{of(way, 'slow service').p99_ms or 0:.0f}"

    text = WORDS.format(
        threads=max(row.threads for row in rows if row.way == BLOCKING.name),
        flying_threads=max(row.threads for row in rows if row.way == FLYING.name),
        dead=of(QUEUE, "dead service").orders,
        overload=of(QUEUE, "overload").orders,
        unsure=of(BLOCKING, "overload").unsure,
        busy=of(FLYING, "overload").errors.get("BUSY", 0),
        no_service=of(FLYING, "dead service").errors.get("NO_SERVICE", 0),
        queue_lost=of(QUEUE, "dead service").lost,
        queue_late=of(QUEUE, "overload").late,
        queue_again=of(QUEUE, "dead service, no ids").twice,
        queue_p99=p99(QUEUE),
        stream_lost=of(STREAM, "dead service").lost,
        stream_again=of(STREAM, "dead service, no ids").twice,
        stream_p99=p99(STREAM),
        with_ids=sum(row.twice for row in rows if "no ids" not in row.fault),
        without_ids=sum(row.twice for row in rows if "no ids" in row.fault),
    )
    paragraphs = (textwrap.fill(each, WIDTH) for each in text.strip().split("\n\n"))
    return "\nWhich to use when\n\n" + "\n\n".join(paragraphs)
