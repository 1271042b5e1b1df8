"""Keys of a column 'options' that mean nothing: what is said of them.  Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from .addresses import quote

_LONGEST_SHOWN = 40


def find_unknown(options: Mapping[str, str], known: Iterable[str] = ()) -> str | None:
    """Returns a sentence on the keys of 'options' that are none of 'known'; None without any.

    The first by name is told, and how many there are beside it.
    """
    names = sorted(known)
    unknown = sorted(options.keys() - set(names))
    if not unknown:
        return None
    subject = f"options:{quote(unknown[0][:_LONGEST_SHOWN])}"
    if len(unknown) > 1:
        return f"{subject} and {len(unknown) - 1} more are no options"
    return f"{subject} is no option{propose(unknown[0], names)}"


def propose(key: str, known: Iterable[str]) -> str:
    """Returns which of 'known' may be meant by 'key', as the end of a sentence; "" if none."""
    close = difflib.get_close_matches(key[:_LONGEST_SHOWN], list(known), 1)
    return f", but {close[0]} is" if close else ""
