"""Peers that break the protocol: their connection ends, everything else goes on."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
import telpher


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def port(directory: str) -> Iterator[int]:
    """The port of a hub that must still work after the test."""
    port = free_port()
    with telpher.open(directory, listen=[f"tcp://127.0.0.1:{port}"]) as hub:
        yield port
        with (
            hub.serve("alive", lambda request: request.body),
            telpher.open(f"tcp://127.0.0.1:{port}") as remote,
        ):
            assert remote.call("alive", b"yes") == b"yes"


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 64,
        struct.pack("<I", 2**32 - 1) + b"x" * 60,
        b"\0" * 100,
    ],
    ids=["http", "garbage", "4 GiB", "zeros"],
)
def test_a_peer_that_sends_garbage_is_cut_off(port: int, bytes_sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(bytes_sent)
        with contextlib.suppress(ConnectionResetError):
            while peer.recv(4096):
                pass


def test_a_peer_that_sends_half_a_frame_holds_up_nobody(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(b"\x40\0\0")
        with telpher.open(f"tcp://127.0.0.1:{port}") as hub, pytest.raises(telpher.NoService):
            hub.call("nobody", b"")


def test_a_peer_that_sends_a_byte_a_second_is_cut_off(port: int) -> None:
    ended = threading.Event()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        peer.settimeout(1)
        for _ in range(20):
            try:
                peer.sendall(b"\x40")
                if not peer.recv(4096):
                    ended.set()
            except TimeoutError:
                continue
            except OSError:
                ended.set()
            if ended.is_set():
                break
    assert ended.is_set()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b""])
def test_a_host_that_answers_with_garbage_is_an_error_in_time(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = threading.Event()

        def answer_all() -> None:
            server.settimeout(0.1)
            while not done.is_set():
                with contextlib.suppress(OSError):
                    peer, _ = server.accept()
                    with peer:
                        peer.sendall(answer)

        thread = threading.Thread(target=answer_all)
        thread.start()
        try:
            with pytest.raises(ConnectionError) as caught:
                telpher.open(f"tcp://127.0.0.1:{port}", timeout=1)
            assert isinstance(caught.value, telpher.Error)
        finally:
            done.set()
            thread.join()


def test_nobody_at_the_address_is_no_host() -> None:
    with pytest.raises(telpher.NoHost) as caught:
        telpher.open(f"tcp://127.0.0.1:{free_port()}", timeout=0.5)
    assert isinstance(caught.value, ConnectionError)
