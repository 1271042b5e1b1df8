"""Drivers of the two things of a container that are files: state directory and namespace."""

from __future__ import annotations

import contextlib
import os
import shutil

from ...lib import dirs
from ...lib.errors import HostError
from ..order import Namespace, StateDirectory
from . import netns


def find_root() -> str:
    """Returns the directory that holds the state directories."""
    return os.path.join(dirs.RUNDIR, "containers")


def find_directory(container: str) -> str:
    """Returns the state directory of 'container'."""
    return os.path.join(find_root(), container)


def find_log(container: str) -> str:
    """Returns the log file of the programs of 'container'."""
    return os.path.join(dirs.LOGDIR, f"{container}.log")


class DirectoryDriver:
    """The mark that everything else of a container hangs on; removes the log file too."""

    def owned(self) -> set[str]:
        try:
            return set(os.listdir(find_root()))
        except FileNotFoundError:
            return set()

    def read(self, container: str) -> StateDirectory | None:
        return StateDirectory() if os.path.isdir(find_directory(container)) else None

    def apply(self, container: str, wanted: StateDirectory) -> None:
        try:
            os.makedirs(find_root(), mode=0o755, exist_ok=True)
            os.makedirs(find_directory(container), mode=0o700, exist_ok=True)
        except OSError as error:
            raise HostError(f"the state directory cannot be made: {error}") from error

    def remove(self, container: str) -> bool:
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(find_log(container))
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(find_directory(container))
        except OSError as error:
            raise HostError(f"the state directory cannot be removed: {error}") from error
        with contextlib.suppress(OSError):  # while another container has its own there
            os.rmdir(find_root())
        return True


class NamespaceDriver:
    """The namespaces of containers that have a state directory; no other is ours."""

    def owned(self) -> set[str]:
        return netns.find_names() & DirectoryDriver().owned()

    def read(self, container: str) -> Namespace | None:
        return Namespace() if netns.find_inode(container) is not None else None

    def apply(self, container: str, wanted: Namespace) -> None:
        netns.create(container)

    def remove(self, container: str) -> bool:
        netns.remove(container)
        return True
