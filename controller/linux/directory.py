"""Drivers of the two things of a container that are files: state directory and namespace.

The state directory goes with the host, as /run does; the log file outlives it, in a directory in
which every log file is ours, so that it is a mark as well.  With the container it goes to those
that are kept (past_logs.py).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable

from ...lib import dirs, state_file
from ...lib.container import is_name
from ...lib.errors import HostError
from ..host.kinds import Namespace, StateDirectory
from ..name import check_name
from . import netns, past_logs

_NAMESPACE_MARK = "namespace.made"
_LOG = ".log"
# Others may pass through to what a program of another user has there, and see nothing of it.
_OPEN = 0o066


def find_root() -> str:
    """Returns the directory that holds the state directories."""
    return os.path.join(dirs.RUNDIR, "containers")


def find_directory(container: str) -> str:
    """Returns the state directory of 'container'; raises HostError if that is no name."""
    return os.path.join(find_root(), check_name(container))


def find_log_root() -> str:
    """Returns the directory that holds the log files."""
    return os.path.join(dirs.LOGDIR, "containers")


def find_log(container: str) -> str:
    """Returns the log file of the programs of 'container'; raises HostError as above."""
    return os.path.join(find_log_root(), f"{check_name(container)}{_LOG}")


class DirectoryDriver:
    """The mark that everything else of a container hangs on, and the log file."""

    def owned(self) -> set[str]:
        """Returns the names of the directories and of the log files, of our user."""
        logs = _list_ours(find_log_root(), os.DirEntry.is_file)
        named = {each.removesuffix(_LOG) for each in logs if each.endswith(_LOG)}
        return find_directories() | {each for each in named if is_name(each)}

    def owns(self, container: str) -> bool:
        return _is_ours(find_directory(container)) or os.path.isfile(find_log(container))

    def read(self, container: str) -> StateDirectory | None:
        path = find_directory(container)
        closed = _is_ours(path) and not os.stat(path).st_mode & _OPEN
        return StateDirectory() if closed else None

    def apply(self, container: str, wanted: StateDirectory) -> None:
        path = find_directory(container)
        try:
            os.makedirs(find_root(), mode=0o755, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            if not _is_ours(path):
                raise HostError(f"{path} is there already and no directory of ours")
            mode = stat.S_IMODE(os.stat(path).st_mode)
            if mode & _OPEN:
                os.chmod(path, mode & ~_OPEN)
        except OSError as error:
            raise HostError(f"the state directory cannot be made: {error}") from error

    def remove(self, container: str) -> bool:
        try:
            past_logs.keep(find_log(container))
            if _is_ours(find_directory(container)):
                shutil.rmtree(find_directory(container))
        except OSError as error:
            raise HostError(f"the state directory cannot be removed: {error}") from error
        for root in (find_root(), find_log_root()):
            with contextlib.suppress(OSError):  # while another container has its own there
                os.rmdir(root)
        return True


class NamespaceDriver:
    """The namespaces that we made: the state directory of each says so; no other is ours."""

    def owned(self) -> set[str]:
        return {name for name in netns.find_names() & find_directories() if _is_made(name)}

    def owns(self, container: str) -> bool:
        return _is_made(container) and netns.exists(container)

    def read(self, container: str) -> Namespace | None:
        there = _is_made(container) and netns.find_inode(container) is not None
        return Namespace() if there else None

    def apply(self, container: str, wanted: Namespace) -> None:
        if not _is_made(container):
            if netns.exists(container):
                raise HostError(f"{netns.find_path(container)} is there already and not ours")
            _mark(container)
        netns.create(container)

    def remove(self, container: str) -> bool:
        if _is_made(container):
            netns.remove(container)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_find_mark(container))
        return True


def _mark(container: str) -> None:
    """Notes that a namespace is ours, before it is made: what a death leaves is known."""
    try:
        state_file.write(_find_mark(container), b"")
    except OSError as error:
        raise HostError(f"the namespace cannot be noted: {error}") from error


def _find_mark(container: str) -> str:
    return os.path.join(find_directory(container), _NAMESPACE_MARK)


def _is_made(container: str) -> bool:
    return state_file.read(_find_mark(container)) is not None


def find_directories() -> set[str]:
    """Returns the containers that have a state directory; what else lies there is not ours."""
    return {each for each in _list_ours(find_root(), os.DirEntry.is_dir) if is_name(each)}


def _is_ours(path: str) -> bool:
    """Returns whether a path is a directory, and no link to one, of the user that we are."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _list_ours(root: str, is_kind: Callable[..., bool]) -> set[str]:
    """Returns what is of a kind in 'root', no link to such, of the user that we are."""
    found = set()
    # What cannot be listed holds nothing that we could know; making something there says why.
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for each in entries:
            with contextlib.suppress(FileNotFoundError):
                owner = each.stat(follow_symlinks=False).st_uid
                if is_kind(each, follow_symlinks=False) and owner == os.geteuid():
                    found.add(each.name)
    return found
