"""Python's collector of cycles, kept out of runs that make millions of values to stay."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

MANY_KEYS = 5_000


@contextlib.contextmanager
def resting() -> Iterator[None]:
    """Lets the collector rest, and makes it never walk through what is there at the end.

    Values have no cycles, and a cell that goes is taken out of those that it read:
    so they are freed as soon as nobody has them, frozen or not (gc.freeze()).  A
    cycle that is made meanwhile stays for good.  To walk through all would take
    seconds in which no heartbeat is read.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
