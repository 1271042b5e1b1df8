"""The name of a container where a path or an interface is made of it.

Every one is made of a name that 'check_name' let pass, so that no row of a
database and no mark that somebody else wrote can point elsewhere.
"""

from __future__ import annotations

from ..lib.container import is_name
from ..lib.errors import HostError


def check_name(name: str) -> str:
    """Returns 'name'; raises HostError if no container can have it."""
    if not is_name(name):
        raise HostError(f"{name!r} cannot be the name of a container")
    return name
