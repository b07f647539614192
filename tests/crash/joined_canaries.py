"""What is planted in histories of topics that are bound twice, of batches of everything, of streams
that keep what is unread, and of those that keep each key's latest, must be found."""

from canaries import breaches, must_find
from programs import Failed, World
from workers.common import KEPT_OPTIONS

# Two are published: one is taken at once, the other has ended without anybody knowing how. A member
# moves a record and a message in one batch.
JOINED = """
a publish a-p-1 disk.both both
a published a-p-1 OK 0
a publish a-p-2 os.both both
b got disk.both 5 a-p-1 0 0 whole
b settle disk.both 5 a-p-1 acknowledge
b settled disk.both 5 a-p-1 acknowledge OK 0
a publish a-p-3 os.both both
a published a-p-3 FULL 0
a send a-s-1 disk.in
a sent a-s-1 OK 0 7
a append a-a-1 log.disk
m join log.disk
m read log.disk 0 0 a-a-1 whole
m got disk.in 7 a-s-1 0 0 whole
m commit m-r-1 read:log.disk:0:0 append:done.disk:m-r-1 take:disk.in:7:a-s-1 send:disk.out:m-m-1
m committed m-r-1 OK 0 8
drain got os.both 6 a-p-2 0 0 whole
drain got disk.out 8 m-m-1 0 0 whole
drain place log.disk 0 1 1
drain record log.disk 0 0 a-a-1 whole
drain record done.disk 0 0 m-r-1 whole
drain record both 0 0 a-p-1 whole
drain record both 0 1 a-p-2 whole
""".strip()

JOINED_PLANTED = {
    "a-p-2 was published to disk.both and not to both": [
        ("a publish a-p-2 os.both both", "a publish a-p-2 disk.both both"),
        ("drain record both 0 1 a-p-2 whole", ""),
    ],
    "a-p-2 was published to both and not to os.both": [("drain got os.both 6 a-p-2 0 0 whole", "")],
    "a-p-1 in both is lost": [("drain record both 0 0 a-p-1 whole", "")],
    "a-p-1 in disk.both is lost": [
        ("b got disk.both 5 a-p-1 0 0 whole\n", ""),
        ("b settle disk.both 5 a-p-1 acknowledge\n", ""),
        ("b settled disk.both 5 a-p-1 acknowledge OK 0\n", ""),
    ],
    "a-p-1 was stored twice": [
        (
            "drain got os.both 6 a-p-2 0 0 whole",
            "drain got disk.both 9 a-p-1 0 0 whole\ndrain got os.both 6 a-p-2 0 0 whole",
        )
    ],
    "a-p-1 was appended 2 times": [
        (
            "drain record both 0 1 a-p-2 whole",
            "drain record both 0 1 a-p-2 whole\ndrain record both 0 2 a-p-1 whole",
        )
    ],
    "a-p-3 ended as FULL and was delivered": [("os.both 6 a-p-2", "os.both 6 a-p-3")],
    "a-p-3 ended as FULL and was appended": [("both 0 1 a-p-2", "both 0 1 a-p-3")],
    "the publish of a-p-1 ended as NO_SPACE": [("a-p-1 OK 0\na", "a-p-1 NO_SPACE 0\na")],
    "batch m-r-1 has sent and not appended": [
        ("m committed m-r-1 OK 0 8", ""),
        ("drain record done.disk 0 0 m-r-1 whole", ""),
    ],
    "batch m-r-1 has appended and not sent": [
        ("m committed m-r-1 OK 0 8", ""),
        ("drain got disk.out 8 m-m-1 0 0 whole", ""),
    ],
    "batch m-r-1 has sent, and a-s-1 came again": [
        (
            "drain got disk.out 8 m-m-1 0 0 whole",
            "drain got disk.out 8 m-m-1 0 0 whole\ndrain got disk.in 7 a-s-1 0 1 whole",
        )
    ],
    "a-s-1 in disk.in is lost": [
        ("m committed m-r-1 OK 0 8", "m committed m-r-1 NOT_FOUND 0"),
        ("drain got disk.out 8 m-m-1 0 0 whole", ""),
        ("drain record done.disk 0 0 m-r-1 whole", ""),
    ],
}

COUNT = KEPT_OPTIONS["records_max"] + 2


def lines(form: str, first: int = 0) -> str:
    """A line for each record of a stream."""
    return "\n".join(form.format(offset, offset + 1) for offset in range(first, COUNT))


# A limit has removed the first two, after a member had committed them; then there was no room.
KEPT = "\n".join(
    [
        lines("a append a-a-{1} log.kept\na appended a-a-{1} OK 0 0 {0}"),
        f"a append a-a-{COUNT + 1} log.kept",
        f"a appended a-a-{COUNT + 1} FULL 0 0 0",
        "m join log.kept",
        lines(
            "m read log.kept 0 {0} a-a-{1} whole\n"
            "m commit m-r-{1} read:log.kept:0:{0} append:done.disk:m-r-{1}\n"
            "m committed m-r-{1} OK 0"
        ),
        f"drain place log.kept 0 {COUNT} {COUNT}",
        lines("drain record log.kept 0 {0} a-a-{1} whole", 2),
        lines("drain record done.disk 0 {0} m-r-{1} whole"),
    ]
)

KEPT_PLANTED = {
    "a-a-1 at ('log.kept', 0, 0) was processed 0 times": [
        ("m committed m-r-1 OK 0", ""),
        ("read:log.kept:0:0 ", ""),
    ],
    "keeps only 19 records": [("drain record log.kept 0 2 a-a-3 whole", "")],
    "a-a-5 was at ('log.kept', 0, 4) and is gone": [("drain record log.kept 0 4 a-a-5 whole", "")],
    f"a-a-{COUNT} was at ('log.kept', 0, {COUNT - 1}) and is gone": [
        (f"drain record log.kept 0 {COUNT - 1} a-a-{COUNT} whole\n", ""),
        (f"drain place log.kept 0 {COUNT} {COUNT}", f"drain place log.kept 0 {COUNT - 1} 21"),
    ],
}

# Two programs put under the same keys; one of them says of the first key that it is gone. The
# second look is while that tombstone has to be there, the third when it was old enough to be gone.
LATEST = """
a put a-k-1 latest.disk one value
a appended a-k-1 OK 0 0 0
a put a-k-2 latest.disk two value
b put b-k-1 latest.disk one value
b appended b-k-1 OK 0 0 2
c look latest.disk
c saw latest.disk 0 1 a-k-2 whole
c saw latest.disk 0 2 b-k-1 whole
c looked latest.disk
b put b-k-2 latest.disk one tombstone
b appended b-k-2 OK 0 0 3
b put b-k-3 latest.disk two value
b appended b-k-3 OK 0 0 4
b put b-k-4 latest.disk three value
b appended b-k-4 FULL 0 0 0
c look latest.disk
c saw latest.disk 0 2 b-k-1 whole
c saw latest.disk 0 3 b-k-2 whole
c saw latest.disk 0 4 b-k-3 whole
c looked latest.disk
drain look latest.disk
drain saw latest.disk 0 4 b-k-3 whole
drain looked latest.disk
""".strip()
STEP_US = 17_000

LATEST_PLANTED = {
    "one of latest.disk is lost for c: offset 2 was confirmed, and None": [
        ("c saw latest.disk 0 2 b-k-1 whole", "")
    ],
    "one of latest.disk is lost for c: offset 2 was confirmed, and 0": [
        ("c saw latest.disk 0 1 a-k-2 whole", "c saw latest.disk 0 0 a-k-1 whole"),
        ("c saw latest.disk 0 2 b-k-1 whole", ""),
    ],
    # It is too young to be gone.
    "one of latest.disk is lost for c: offset 3 was confirmed": [
        ("c saw latest.disk 0 3 b-k-2 whole", "")
    ],
    # A value never gets too old.
    "one of latest.disk is lost for drain": [
        ("b put b-k-2 latest.disk one tombstone", "b put b-k-2 latest.disk one value")
    ],
    "two of latest.disk is lost for drain": [("drain saw latest.disk 0 4 b-k-3 whole", "")],
    "came behind 3": [("c saw latest.disk 0 4 b-k-3 whole", "c saw latest.disk 0 2 b-k-3 whole")],
    "is a-k-1 for drain, and was b-k-3": [
        ("drain saw latest.disk 0 4 b-k-3", "drain saw latest.disk 0 4 a-k-1")
    ],
    "b-k-3 was appended 2 times": [
        ("drain saw latest.disk 0 4 b-k-3", "drain saw latest.disk 0 5 b-k-3")
    ],
    "was read with another body": [("0 4 b-k-3 whole", "0 4 b-k-3 damaged")],
    "was read and never appended": [("a put a-k-2 latest.disk two value", "")],
    "b-k-4 ended as FULL and was appended": [
        ("drain saw latest.disk 0 4 b-k-3", "drain saw latest.disk 0 5 b-k-4")
    ],
    "b-k-2 is at 3 of 0 in latest.disk: 5 was confirmed": [
        ("b appended b-k-1 OK 0 0 2", "b appended b-k-1 OK 0 0 5")
    ],
}


def canary_histories_of_what_is_joined_without_a_breach_pass(_: World) -> None:
    """Nothing is found where nothing is wrong."""
    found = breaches(JOINED) + breaches(KEPT) + breaches(LATEST, STEP_US)
    if found:
        raise Failed(str(found))


def canary_each_breach_that_is_planted_in_what_is_joined_is_found(_: World) -> None:
    """A publish or a batch that is there in halves, or a record that is."""
    must_find(JOINED, JOINED_PLANTED)


def canary_each_breach_that_is_planted_in_what_is_kept_until_it_is_read_is_found(_: World) -> None:
    """What was removed too early, and what was appended where there was no room."""
    must_find(KEPT, KEPT_PLANTED)


def canary_each_breach_that_is_planted_in_the_latest_of_each_key_is_found(_: World) -> None:
    """Keys that are gone, or go back."""
    must_find(LATEST, LATEST_PLANTED, STEP_US)


CANARIES = [
    canary_histories_of_what_is_joined_without_a_breach_pass,
    canary_each_breach_that_is_planted_in_what_is_joined_is_found,
    canary_each_breach_that_is_planted_in_what_is_kept_until_it_is_read_is_found,
    canary_each_breach_that_is_planted_in_the_latest_of_each_key_is_found,
]
