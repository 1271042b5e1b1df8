"""Numbers that are counted on for each request, past the end of their range.

Such a number (nb_cfg, delete_cfg, migrate_cfg, ...) may be anything, since others write it as
well.  After the highest comes 1.  Of two numbers that one is later which counting from the other
reaches within half of the range: serial number arithmetic (RFC 1982, section 3.2).  0 stands for
no request yet, and is before all others.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

# What the columns hold.
MOST = 2**53 - 1
_HALF = MOST // 2 + 1


def count_on(number: int) -> int:
    """Returns the number of the next request."""
    return number + 1 if number < MOST else 1


def has_reached(reached: int, number: int) -> bool:
    """Returns whether 'reached' is 'number', or a later one."""
    if not reached or not number:
        return not number
    return (reached - number) % MOST < _HALF


def find_earlier(number: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the two ranges, each with its ends, of what has not reached 'number', not 0."""
    if number + _HALF <= MOST:
        return (0, number - 1), (number + _HALF, MOST)
    return (0, 0), (number + _HALF - MOST, number - 1)


def find_first(numbers: Iterable[int]) -> int | None:
    """Returns the earliest number, None for none."""
    every = list(numbers)
    if not every:
        return None
    return reduce(lambda one, other: one if has_reached(other, one) else other, every)


def find_last(numbers: Iterable[int]) -> int:
    """Returns the latest number, 0 for none."""
    return reduce(lambda one, other: one if has_reached(one, other) else other, numbers, 0)
