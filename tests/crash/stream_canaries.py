"""What is planted in a history of streams must be found, as canaries.py has it for queues."""

from canaries import breaches, must_find
from programs import Failed, World

# Two programs append; a member takes three records, the second time after it came anew; one more is
# taken by who drains. An append and a batch have ended without anybody knowing how.
GOOD = """
a append a-a-1 log.disk
a appended a-a-1 OK 0 2 0
b append b-a-1 log.disk
b appended b-a-1 OK 0 1 0
a append a-a-2 log.disk
m join log.disk
m read log.disk 2 0 a-a-1 whole
m read log.disk 1 0 b-a-1 whole
m commit m-r-2 read:log.disk:2:0 append:done.disk:m-r-1 read:log.disk:1:0 append:done.disk:m-r-2
m committed m-r-2 OK 0
m join log.disk
m read log.disk 2 1 a-a-2 whole
m commit m-r-3 read:log.disk:2:1 append:done.disk:m-r-3
a append a-a-3 log.disk
a appended a-a-3 FULL 0 0 0
a append a-a-4 log.disk
a appended a-a-4 OK 0 2 2
n join log.disk
n read log.disk 2 1 a-a-2 whole
n commit n-r-1 read:log.disk:2:1 append:done.disk:n-r-1
n committed n-r-1 LEASE_LOST 0
drain join log.disk
drain read log.disk 2 2 a-a-4 whole
drain commit drain-r-1 read:log.disk:2:2 append:done.disk:drain-r-1
drain committed drain-r-1 OK 0
drain place log.disk 1 1 1
drain place log.disk 2 3 3
drain record log.disk 1 0 b-a-1 whole
drain record log.disk 2 0 a-a-1 whole
drain record log.disk 2 1 a-a-2 whole
drain record log.disk 2 2 a-a-4 whole
drain record done.disk 0 0 m-r-1 whole
drain record done.disk 0 1 m-r-2 whole
drain record done.disk 0 2 m-r-3 whole
drain record done.disk 1 0 drain-r-1 whole
""".strip()

# What is wrong, the lines it is done to, and what stands there instead.
PLANTED = {
    "a-a-4 in log.disk is lost": [("drain record log.disk 2 2 a-a-4 whole", "")],
    "m-r-2 in done.disk is lost": [("drain record done.disk 0 1 m-r-2 whole", "")],
    "and is gone": [("drain record log.disk 2 1 a-a-2 whole", "")],
    "has a hole before offset 2 of 2": [("drain record log.disk 2 1 a-a-2 whole", "")],
    "was appended 2 times": [
        (
            "drain record log.disk 2 2 a-a-4 whole",
            "drain record log.disk 2 2 a-a-4 whole\ndrain record log.disk 2 3 a-a-4 whole",
        )
    ],
    "is a-a-3 for drain, and was a-a-4": [
        ("drain record log.disk 2 2 a-a-4 whole", "drain record log.disk 2 2 a-a-3 whole")
    ],
    "ended as FULL and was appended": [
        ("appended a-a-4 OK 0 2 2", "appended a-a-4 OK 0 2 3"),
        ("drain read log.disk 2 2 a-a-4 whole", "drain read log.disk 2 2 a-a-3 whole"),
        (
            "drain record log.disk 2 2 a-a-4 whole",
            "drain record log.disk 2 2 a-a-3 whole\ndrain record log.disk 2 3 a-a-4 whole",
        ),
    ],
    "the append of a-a-4 ended as HOST_LOST": [
        ("appended a-a-4 OK 0 2 2", "appended a-a-4 HOST_LOST 1 0 0")
    ],
    "never appended": [("a append a-a-2 log.disk", "")],
    "another body": [("n read log.disk 2 1 a-a-2 whole", "n read log.disk 2 1 a-a-2 damaged")],
    "behind a later one": [
        ("a append a-a-2 log.disk", "a append a-a-9 log.disk"),
        ("m read log.disk 2 1 a-a-2 whole", "m read log.disk 2 1 a-a-9 whole"),
        ("n read log.disk 2 1 a-a-2 whole", "n read log.disk 2 1 a-a-9 whole"),
        ("drain record log.disk 2 1 a-a-2 whole", "drain record log.disk 2 1 a-a-9 whole"),
    ],
    "others of its key in 1": [
        ("b append b-a-1 log.disk", "a append b-a-1 log.disk"),
        ("b appended b-a-1", "a appended b-a-1"),
    ],
    "a-a-1 came to n, which joined when": [
        ("n read log.disk 2 1 a-a-2 whole", "n read log.disk 2 0 a-a-1 whole")
    ],
    "commit n-r-1 ended as NO_SPACE": [("n-r-1 LEASE_LOST", "n-r-1 NO_SPACE")],
    "has appended only some": [
        ("m committed m-r-2 OK 0", ""),
        ("drain record done.disk 0 1 m-r-2 whole", ""),
        ("drain record done.disk 0 2 m-r-3 whole", "drain record done.disk 0 1 m-r-3 whole"),
    ],
    "a-a-2 is at 0 of 2 in log.disk: 1 was confirmed before": [
        ("a appended a-a-1 OK 0 2 0", "a appended a-a-1 OK 0 2 1"),
        ("m read log.disk 2 0 a-a-1 whole", "m read log.disk 2 0 a-a-2 whole"),
    ],
    "is 1: 3 was confirmed": [("place log.disk 2 3 3", "place log.disk 2 1 3")],
    "ends at 2 of 3": [("place log.disk 2 3 3", "place log.disk 2 2 3")],
    "was processed 2 times": [
        ("n-r-1 LEASE_LOST 0", "n-r-1 OK 0"),
        (
            "drain record done.disk 1 0 drain-r-1 whole",
            "drain record done.disk 1 0 drain-r-1 whole\ndrain record done.disk 2 0 n-r-1 whole",
        ),
    ],
    "was processed 0 times": [("drain record done.disk 0 2 m-r-3 whole", "")],
}


def canary_a_history_of_streams_without_a_breach_passes(_: World) -> None:
    """Nothing is found where nothing is wrong."""
    if found := breaches(GOOD):
        raise Failed(str(found))


def canary_each_breach_that_is_planted_in_streams_is_found(_: World) -> None:
    """Each is found, and called what it is."""
    must_find(GOOD, PLANTED)


def canary_a_commit_and_a_joining_of_one_moment_may_be_in_either_order(_: World) -> None:
    """Who joins as a commit is confirmed may get what that has committed."""
    both = GOOD.replace("n read log.disk 2 1 a-a-2 whole", "n read log.disk 2 0 a-a-1 whole")
    found = breaches(both, step_us=0)
    if any("which joined when" in each for each in found):
        raise Failed(str(found))


CANARIES = [
    canary_a_history_of_streams_without_a_breach_passes,
    canary_each_breach_that_is_planted_in_streams_is_found,
    canary_a_commit_and_a_joining_of_one_moment_may_be_in_either_order,
]
