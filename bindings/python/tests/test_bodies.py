"""Bodies and headers, in and out."""

import array
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import telpher
import telpher.aio
from conftest import Run

SIZES = [0, 1, 1023, 1024, 65536, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_bodies_of_every_size_come_back_as_bytes(hub: telpher.Hub, size: int) -> None:
    body = bytes(index % 251 for index in range(size))
    with hub.serve("echo", lambda request: request.body):
        for given in (body, bytearray(body), memoryview(body)):
            reply = hub.call("echo", given)
            assert type(reply) is bytes and reply == body


def test_any_contiguous_or_strided_buffer_is_a_body(hub: telpher.Hub) -> None:
    numbers = array.array("i", range(1000))
    with hub.serve("echo", lambda request: request.body):
        assert hub.call("echo", memoryview(numbers)) == numbers.tobytes()
        assert hub.call("echo", memoryview(numbers)[::3]) == numbers[::3].tobytes()


def test_what_is_sent_is_what_was_given_even_if_it_changes_later(queue: telpher.Queue) -> None:
    body = bytearray(b"a" * 5000)
    send = queue.start.send(body)
    body[:] = b"b" * 5000
    send.result(20)
    assert queue.receive().body == b"a" * 5000


def test_with_zero_copy_larger_bodies_are_memoryviews(url: str) -> None:
    with telpher.open(url, zero_copy=True) as hub, hub.serve("echo", lambda r: r.body):
        assert type(hub.call("echo", b"small")) is bytes
        reply = hub.call("echo", b"large" * 1000)
        assert isinstance(reply, memoryview)
        assert reply.readonly and reply == b"large" * 1000
        with pytest.raises(TypeError):
            reply[0] = 0
    assert bytes(reply) == b"large" * 1000


def test_asyncio_has_zero_copy_too(run: Run, url: str) -> None:
    async def main() -> memoryview:
        async with telpher.aio.open(url, zero_copy=True) as hub:
            await hub.queue("work").declare()
            await hub.queue("work").send(b"large" * 1000)
            async with await hub.queue("work").receive() as job:
                return job.body

    assert run(main()) == b"large" * 1000


class Repeats(Mapping[str, bytes]):
    """Headers that name one twice, as C and Rust can send them."""

    pairs = ("twice", b"first"), ("once", b"\0\xff\r\n"), ("twice", b"second"), ("empty", b"")

    def items(self) -> Any:
        return list(self.pairs)

    def __getitem__(self, name: str) -> bytes:
        return dict(self.pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.pairs))

    def __len__(self) -> int:
        return len(dict(self.pairs))


def test_headers_are_bytes_and_the_first_of_a_name_wins(queue: telpher.Queue) -> None:
    queue.send(b"", headers=Repeats())
    headers = queue.receive().headers
    assert headers == {"twice": b"first", "once": b"\0\xff\r\n", "empty": b""}
    assert all(type(value) is bytes for value in headers.values())
