"""The records of containers: a file in each state directory, which goes with the container."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

import ovs.vlog

from ...lib import state_file
from ..host.record import Record, format_record, parse_record
from .directory import DirectoryDriver, find_directory

vlog = ovs.vlog.Vlog("records")

_FILE = "record.json"


class Records:
    """'by_name' has what each container is to be while its rows cannot be made true."""

    def __init__(self) -> None:
        self._kept = {name: _read(name) for name in DirectoryDriver().owned()}
        self.by_name = {name: each for name, each in self._kept.items() if each is not None}

    def propose(self, container: str, record: Record) -> None:
        """Takes 'record', unless the container has run with another."""
        if self._kept.get(container) is None:
            self.by_name[container] = record

    def keep(self, container: str, record: Record) -> None:
        """Takes 'record', which the container runs with, and writes it if it is another."""
        self.by_name[container] = record
        if self._kept.get(container) == record:
            return
        self._kept[container] = record
        try:
            _write(container, record)
        except OSError as error:
            vlog.warn(f"{container}: what it runs with is not kept over a restart: {error}")

    def take_lost(self) -> set[str]:
        """Returns the containers whose file somebody removed; the next keep() writes it."""
        gone = {name for name in self._kept if not os.path.exists(_find_path(name))}
        for name in gone:
            del self._kept[name]
        return gone

    def forget(self, container: str) -> None:
        """Forgets a container: one that is bound again is another one."""
        known = container in self.by_name or container in self._kept
        self.by_name.pop(container, None)
        self._kept.pop(container, None)
        if known:
            with contextlib.suppress(OSError):
                os.unlink(_find_path(container))

    def forget_others(self, containers: Collection[str]) -> None:
        """Forgets all but 'containers'."""
        for name in (self.by_name.keys() | self._kept.keys()) - set(containers):
            self.forget(name)


def _find_path(container: str) -> str:
    return os.path.join(find_directory(container), _FILE)


def _read(container: str) -> Record | None:
    with contextlib.suppress(OSError, ValueError):
        text = state_file.read_text(_find_path(container))
        return parse_record(text) if text is not None else None
    return None


def _write(container: str, record: Record) -> None:
    state_file.write(_find_path(container), format_record(record).encode())
