"""The names that this host has or had as a chassis, and as whom it wrote under them, in a file.

A svc-controller that is started knows by it that the row in Chassis_Private is its own (claim.py),
and which rows it left under another name.  A chassis may be renamed while svc-controller does not
run.  The disk of a host may be a copy of another's, file and key included, made while that runs; so
each name is kept with what tells one host from the other, and one boot from the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..lib import state_file

_FILE = "chassis.names"
# Of a chassis that is started again and again and never gets to the southbound.
MOST_INCARNATIONS = 16


@dataclass(frozen=True, slots=True)
class Host:
    """'machine' is the machine-id(5), "" if there is none, 'boot' the boot_id of random(4)."""

    machine: str
    boot: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name of a chassis in the southbound at 'remote', on the host that had it.

    One of 'incarnations' is what this host last wrote to Chassis_Private under that name.  If
    some of them may be of an earlier boot, 'host' is that of this one.
    """

    chassis: str
    remote: str
    host: Host
    incarnations: tuple[str, ...] = ()


def read_host() -> Host:
    """Returns what tells this host from others, and this boot from the one before."""
    return Host(_read_id("/etc/machine-id"), _read_id("/proc/sys/kernel/random/boot_id"))


@dataclass(frozen=True, slots=True)
class KeptNames:
    """The file of 'host' in 'directory'."""

    directory: str
    host: Host

    def read(self) -> list[Name]:
        """Returns the names, the last one first, as far as they can be read; raises OSError."""
        return list(_parse(state_file.read_json(self._path)))

    def write(self, names: Sequence[Name]) -> None:
        """Keeps the names; raises OSError."""
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        state_file.write_json(self._path, [asdict(each) for each in names])

    @property
    def _path(self) -> str:
        return os.path.join(self.directory, _FILE)


def _read_id(path: str) -> str:
    try:
        return (state_file.read_text(path) or "").strip()
    except OSError:
        return ""


def _parse(value: Any) -> Iterator[Name]:
    for each in value if isinstance(value, list) else ():
        match each:
            case {
                "chassis": str(chassis),
                "remote": str(remote),
                "host": {"machine": str(machine), "boot": str(boot)},
                "incarnations": [*incarnations],
            } if chassis and remote and all(isinstance(word, str) for word in incarnations):
                host, kept = Host(machine, boot), incarnations[:MOST_INCARNATIONS]
                yield Name(chassis, remote, host, tuple(kept))
