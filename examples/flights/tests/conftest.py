"""What the tests of both versions share."""

from collections.abc import Iterator

import pytest
from programs import SECONDS

from stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Programs that are ended with the test."""
    made = Stage(SECONDS)
    yield made
    made.end_all()
