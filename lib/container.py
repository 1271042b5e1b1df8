"""What may be the name of a container, and what is said of one that goes on as it was. Pure.

The name is that of an interface, a namespace and a file on a host.
"""

from __future__ import annotations

import re

from .addresses import quote

# IFNAMSIZ without its end; no '/', and no '.' in front, which '.' and '..' have.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")

# With this a sentence begins that says why what runs is not as its rows are.
KEPT = "still as configured before"


def is_name(name: str) -> bool:
    """Returns whether a container can have 'name'."""
    return _NAME.fullmatch(name) is not None


def name_problem(name: str) -> str | None:
    """Returns why no container can have 'name', None if one can."""
    if is_name(name):
        return None
    return (
        f"{quote(name)} cannot be the name of a container: up to 15 letters, digits and _ . -,"
        " the first a letter or a digit"
    )
