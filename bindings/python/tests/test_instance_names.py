"""What instances and subscribers call themselves, as whoever gathers sees it; both faces."""

import asyncio

import pytest
import telpher
import telpher.aio
from conftest import Run


class Keeper:
    """A handler that keeps each request and answers none."""

    def __init__(self) -> None:
        self.kept: list[telpher.Request] = []

    def __call__(self, request: telpher.Request) -> object:
        self.kept.append(request)
        return telpher.LATER


def test_answers_carry_the_name_of_the_instance_and_none_if_it_states_none(
    hub: telpher.Hub,
) -> None:
    hub.serve("prices", lambda _: b"one", instance_name="berlin-1")
    hub.serve("prices", lambda _: b"two")
    names = {answer.body: answer.instance_name for answer in hub.gather("prices")}
    assert names == {b"one": "berlin-1", b"two": None}


def test_a_failure_and_a_missing_one_carry_it_too(hub: telpher.Hub) -> None:
    def fail(_: telpher.Request) -> None:
        raise telpher.Remote("no tea")

    hub.serve("prices", fail, instance_name="berlin")
    keeper = Keeper()
    hub.serve("prices", keeper, instance_name="oslo")
    hub.serve("prices", keeper)
    with hub.gather("prices", timeout=0.3) as gather:
        (answer,) = gather
        assert isinstance(answer.error, telpher.Remote)
        assert answer.instance_name == "berlin"
        assert [one.instance_name for one in gather.missing] == ["oslo", None]


def test_two_instances_may_state_one_name(hub: telpher.Hub) -> None:
    for _ in range(2):
        hub.serve("prices", lambda _: b"one", instance_name="berlin")
    answers = list(hub.gather("prices"))
    assert [answer.instance_name for answer in answers] == ["berlin", "berlin"]
    assert answers[0].instance != answers[1].instance


def test_subscribers_answer_under_their_names(hub: telpher.Hub) -> None:
    berlin = hub.subscribe("news.*", instance_name="berlin")
    with hub.subscribe("news.*", instance_name="oslo"):
        gather = hub.topic("news.x").gather(b"who?", count=1)
        next(berlin).reply(b"me")
        (answer,) = gather
        assert answer.instance_name == "berlin"
        assert [one.instance_name for one in gather.missing] == ["oslo"]


@pytest.mark.parametrize(
    ("name", "why"), [("", "a name is empty"), ("rack 4", "has ' ' at byte 4")]
)
def test_a_wrong_name_is_refused_with_what_is_wrong(hub: telpher.Hub, name: str, why: str) -> None:
    with pytest.raises(telpher.Invalid, match=rf"instance_name: .*{why}"):
        hub.serve("prices", Keeper(), instance_name=name)
    with pytest.raises(telpher.Invalid, match=rf"instance_name: .*{why}"):
        hub.subscribe("news", instance_name=name)
    with pytest.raises(telpher.TooLarge, match=r"instance_name: .*256 bytes"):
        hub.serve("prices", Keeper(), instance_name="n" * 256)


def test_on_asyncio_answers_and_missing_ones_carry_names(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            await hub.serve("prices", lambda _: b"one", instance_name="berlin")
            await hub.serve("prices", Keeper(), instance_name="oslo")
            async with hub.gather("prices", count=1) as gather:
                assert [answer.instance_name async for answer in gather] == ["berlin"]
                assert [one.instance_name for one in gather.missing] == ["oslo"]
            with pytest.raises(telpher.Invalid, match=r"instance_name: .*at byte 4"):
                await hub.serve("prices", lambda _: b"one", instance_name="rack 4")

    run(main())


def test_on_asyncio_subscribers_answer_under_their_names(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            async with hub.subscribe("news", instance_name="berlin") as berlin:
                gather = hub.topic("news").gather(b"who?")
                asking = asyncio.ensure_future(anext(gather))
                (await anext(berlin)).reply(b"me")
                assert (await asking).instance_name == "berlin"

    run(main())


def test_on_asyncio_an_answer_for_which_there_is_no_room_is_missing_by_name(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telpher.aio._gather.GATHER_BYTES_MAX", 3)

    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            await hub.serve("prices", lambda _: b"four", instance_name="berlin")
            gather = hub.gather("prices")
            assert [answer async for answer in gather] == []
            (missing,) = gather.missing
            assert isinstance(missing.error, telpher.Lost)
            assert missing.instance_name == "berlin"

    run(main())
