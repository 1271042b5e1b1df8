"""What may be the name of a container on a host: an interface, a namespace and a file. Pure.

Every path is made of a name that 'check_name' let pass, so that no row of a
database and no mark that somebody else wrote can point elsewhere.
"""

from __future__ import annotations

import re

from ..lib.errors import HostError

# IFNAMSIZ without its end; no '/', and no '.' in front, which '.' and '..' have.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")


def is_name(name: str) -> bool:
    """Returns whether a container can have 'name'."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Returns 'name'; raises HostError if no container can have it."""
    if not is_name(name):
        raise HostError(f"{name!r} cannot be the name of a container")
    return name
