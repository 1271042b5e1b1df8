"""What a lab is on disk: its directory, its hosts, and the lock of who works on it.

`DIRECTORY/hosts/NAME/` is a host, `DIRECTORY/up` the mark that `up` has come to its end, with the
name of the program that the lab is for ("demo"), and `DIRECTORY/files/` what that program keeps
there.  Nothing of the lab is anywhere else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import peer
from .errors import LabError
from .host import Host

DEFAULT_DIRECTORY = "/run/ovnsvc-lab"
DIRECTORY_LENGTH = 60
NAME_LENGTH = 11
LOCK_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab, by its directory; it need not exist."""

    directory: Path

    def find_host(self, name: str) -> Host | None:
        """Returns the host of that name, running or dead."""
        directory = self.directory / "hosts" / name
        return Host(name, directory) if (directory / "host.json").exists() else None

    def get_host(self, name: str) -> Host:
        """As find_host, but raises LabError if there is none."""
        host = self.find_host(name)
        if host is None:
            raise LabError(f"{name}: no such host in {self.directory}")
        return host

    def make_host(self, name: str, settings: dict[str, str]) -> Host:
        """Makes a host's directory.  Raises LabError if the name is taken or bad."""
        self.check_name(name)
        host = Host(name, self.directory / "hosts" / name)
        host.create(settings)
        return host

    def check_name(self, name: str) -> None:
        """Raises LabError unless 'name' can be a new host's or guest's, and so a link's."""
        if not re.fullmatch(rf"[a-z][a-z0-9-]{{0,{NAME_LENGTH - 1}}}", name):
            raise LabError(
                f"{name}: a name has 1 to {NAME_LENGTH} of a-z, 0-9 and '-', a letter first"
            )
        if self.find_host(name) or self.find_guest(name):
            raise LabError(f"{name}: the name is taken")

    def list_hosts(self) -> list[Host]:
        """Returns every host, in the order of their names."""
        records = sorted(self.directory.glob("hosts/*/host.json"))
        return [Host(record.parent.name, record.parent) for record in records]

    def list_chassis(self) -> list[Host]:
        """Returns the chassis, in the order of their numbers."""
        found = [host for host in self.list_hosts() if host.settings["kind"] == "chassis"]
        return sorted(found, key=lambda host: int(host.name.removeprefix("hv")))

    def find_guest(self, name: str) -> Host | None:
        """Returns the host that the guest, or a peer's machine behind its gateway, is on."""
        for host in self.list_hosts():
            if name == peer.format_lan(host):
                return host
            if (host.directory / "guests" / f"{name}.json").exists():
                return host
        return None

    def is_up(self) -> bool:
        """Says whether `up` came to its end and `down` has not begun."""
        return (self.directory / "up").exists()

    def find_owner(self) -> str | None:
        """Returns the program that the lab that is up is for, "" if a person's; None if not up."""
        try:
            return (self.directory / "up").read_text()
        except FileNotFoundError:
            return None

    def make_file(self, name: str) -> Path:
        """Returns the path of an empty file that only we can read and that goes with the lab."""
        path = self.directory / "files" / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        return path


def get_lab(default: str = DEFAULT_DIRECTORY) -> Lab:
    """Returns the lab that the environment names: SVC_LAB_DIR, or the default one.

    Raises LabError if no lab can be there: its sockets' paths must fit into 107 bytes, and its
    hosts have their own /etc, /var/lib and /var/log.
    """
    directory = Path(os.environ.get("SVC_LAB_DIR") or default).resolve()
    if len(str(directory)) > DIRECTORY_LENGTH:
        raise LabError(f"SVC_LAB_DIR={directory}: longer than {DIRECTORY_LENGTH} characters")
    if any(directory.is_relative_to(taken) for taken in ("/etc", "/var/lib", "/var/log")):
        raise LabError(f"SVC_LAB_DIR={directory}: cannot be in /etc, /var/lib or /var/log")
    return Lab(directory)


@contextlib.contextmanager
def locked(lab: Lab, create: bool = False) -> Iterator[None]:
    """Keeps other commands off the lab.  Raises LabError if there is no lab to lock."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        if create:
            lab.directory.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(lab.directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise LabError(f"no lab in {lab.directory} ('svc-lab up' builds one)") from None
        try:
            if try_lock(descriptor, lab.directory):
                yield
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise LabError(f"another svc-lab has been at work on {lab.directory} for too long")
        time.sleep(0.1)


def try_lock(descriptor: int, directory: Path) -> bool:
    """Locks an open directory; False if another has it or if it is no longer 'directory'."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == directory.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False
