"""The key pair of this host, to which secrets for its containers are sealed."""

from __future__ import annotations

import os

import ovs.vlog

from ..lib import dirs, sealing, state_file
from ..lib.errors import HostError

vlog = ovs.vlog.Vlog("chassis_key")

KEY_FILE = "chassis.key"


def load_private_key() -> bytes:
    """Returns this host's private key, which is made at the first start (0600)."""
    path = os.path.join(dirs.SYSCONFDIR, KEY_FILE)
    if not os.path.lexists(path):
        _try_to_make_private_key(path)
    try:
        key = state_file.read(path)
        found = os.lstat(path)
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error}") from error
    if key is None or len(key) != 32:
        raise HostError(f"{path} is not a private key of 32 bytes; remove it to make a new one")
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise HostError(f"{path} is of another user, or others can read it: remove it")
    return key


def _try_to_make_private_key(path: str) -> None:
    try:
        _make_private_key(path)
    except OSError as error:
        raise HostError(f"{path} cannot be made: {error}") from error


def _make_private_key(path: str) -> None:
    """Writes a new key beside 'path' and links it there; the first of two makers wins."""
    os.makedirs(dirs.SYSCONFDIR, mode=0o755, exist_ok=True)
    new = f"{path}.{os.getpid()}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(sealing.make_private_key())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
        vlog.info(f"made the private key {path}")
    except FileExistsError:
        pass
    finally:
        os.unlink(new)
