"""Fixtures that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .logs import LOGS, Logs
from .ovsdb import Databases

LOGS.install()


@pytest.fixture
def logs() -> Logs:
    """What is logged during the test."""
    LOGS.clear()
    return LOGS


@pytest.fixture
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Real, empty SVC_Northbound, SVC_Southbound and OVN_Northbound."""
    # The path of a unix socket has at most 107 bytes, so not under the test's name.
    directory: Path = tmp_path_factory.mktemp("db")
    servers = Databases(directory)
    yield servers
    servers.stop()
