"""Drivers of the two things of a container that are files: state directory and namespace."""

from __future__ import annotations

import contextlib
import os
import shutil

from ...lib import dirs
from ...lib.errors import HostError
from ..name import check_name, is_name
from ..order import Namespace, StateDirectory
from . import netns


def find_root() -> str:
    """Returns the directory that holds the state directories."""
    return os.path.join(dirs.RUNDIR, "containers")


def find_directory(container: str) -> str:
    """Returns the state directory of 'container'; raises HostError if that is no name."""
    return os.path.join(find_root(), check_name(container))


def find_log(container: str) -> str:
    """Returns the log file of the programs of 'container'; raises HostError as above."""
    return os.path.join(dirs.LOGDIR, f"{check_name(container)}.log")


class DirectoryDriver:
    """The mark that everything else of a container hangs on; removes the log file too."""

    def owned(self) -> set[str]:
        """Returns the names of the directories; what else lies there is not ours."""
        try:
            with os.scandir(find_root()) as entries:
                return {each.name for each in entries if is_name(each.name) and _is_ours(each)}
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


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """Returns whether 'entry' is a directory, no link to one, of the user that we are."""
    with contextlib.suppress(FileNotFoundError):
        is_directory = entry.is_dir(follow_symlinks=False)
        return is_directory and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    return False
