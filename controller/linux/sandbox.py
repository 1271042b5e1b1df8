"""A services.api Sandbox on a Linux host: the namespace and state directory of a container."""

from __future__ import annotations

import contextlib
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from ...lib import sealing, state_file
from ...lib.errors import HostError
from ...services.api.program import ROOT, Launch
from . import netns, network, past_logs, process

MAX_LOG_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class LinuxSandbox:
    """See services/api/host.py; 'private_key' is the chassis', 'strays' are those of this host."""

    container: str
    directory: str
    log_path: str
    private_key: bytes = field(repr=False, compare=False)
    strays: process.Strays = field(repr=False, compare=False)

    def unseal(self, sealed: str) -> str:
        return sealing.unseal(sealed, self.private_key)

    def entered(self) -> AbstractContextManager[None]:
        return netns.entered(self.container)

    def find_namespace(self) -> int | None:
        return netns.find_inode(self.container)

    def set_mtu(self, interface: str, mtu: int) -> None:
        network.set_mtu(self.container, interface, mtu)

    def make_directory(self, name: str, user: str) -> str:
        """The state directory may then be passed through, but not listed."""
        path = os.path.join(self.directory, name)
        uid, gid = _find_owner(user)
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            os.chown(path, uid, gid)
            if uid != 0:
                os.chmod(self.directory, 0o711)
        except OSError as error:
            raise HostError(f"{path} cannot be made: {error}") from error
        return path

    def write_file(self, path: str, content: bytes, mode: int, user: str) -> None:
        try:
            state_file.write(path, content, mode, _find_owner(user))
        except OSError as error:
            raise HostError(f"{path} cannot be written: {error}") from error

    def start(self, launch: Launch) -> process.LinuxProcess:
        return process.start(launch, self.container, self._find_record(launch))

    def adopt(self, launch: Launch, environment: str) -> process.LinuxProcess | None:
        return process.adopt(launch, self._find_record(launch), environment, self.strays)

    def bound_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.log_path).st_size > MAX_LOG_BYTES:
                past_logs.empty(self.log_path)

    def _find_record(self, launch: Launch) -> str:
        return os.path.join(self.directory, launch.record)


def _find_owner(user: str) -> tuple[int, int]:
    return (0, 0) if user == ROOT else process.find_user(user)
