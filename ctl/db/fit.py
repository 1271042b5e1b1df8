"""Makes a table fit a terminal: reasons below their rows, and then long cells on several lines.

What a program is to read has one row per line: --wide, or another --format.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence

_INDENT = "    "
_LEAST = 10


def fit(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    below: Iterable[str],
    *,
    width: int,
    with_headings: bool,
    format_lines: Callable[[list[list[str]], bool], str],
) -> str:
    """Returns the lines of a table that is too wide, each with its newline, none over 'width'.

    'below' are the headings of columns that are to stand below their rows; 'format_lines'
    makes a table of lines of which the first are the headings, if there are some.
    """
    table = [list(headings), *map(list, rows)]
    moved = {place: name for place, name in enumerate(headings) if name in set(below)}
    stays = [[text for place, text in enumerate(row) if place not in moved] for row in table]
    widths = _find_widths(stays if with_headings else stays[1:], stays[0], width)
    blocks = [_break_row(row, widths) for row in stays]
    flat = [line for block in (blocks if with_headings else blocks[1:]) for line in block]
    lines = format_lines(flat, with_headings).split("\n")[:-1]
    notes = [
        [line for place, name in moved.items() for line in _note(name, row[place], width)]
        for row in table[1:]
    ]
    return "".join(f"{line}\n" for line in _mix(lines, blocks, notes, with_headings))


def _mix(
    lines: Sequence[str],
    blocks: Sequence[Sequence[object]],
    notes: Iterable[Iterable[str]],
    with_headings: bool,
) -> Iterable[str]:
    """Returns the lines of the table with the notes on each row below it."""
    place = len(blocks[0]) + 1 if with_headings else 0
    yield from lines[:place]
    for block, below in zip(blocks[1:], notes, strict=True):
        yield from lines[place : place + len(block)]
        place += len(block)
        yield from below


def _note(name: str, text: str, width: int) -> list[str]:
    """Returns the lines of what stands below a row, [] if there is nothing to say."""
    if not text:
        return []
    return textwrap.wrap(
        f"{name}: {text}",
        width,
        initial_indent=_INDENT,
        subsequent_indent=2 * _INDENT,
        break_on_hyphens=False,
    )


def _find_widths(table: Sequence[Sequence[str]], headings: Sequence[str], width: int) -> list[int]:
    """Returns how wide each column may be: the widest ones give way until all fit.

    A heading is broken only if there is no other way.
    """
    # None stays wider than all together may be, whatever somebody wrote.
    widths = [min(max(map(len, column)), width) for column in zip(*table, strict=True)]
    for floors in ([max(_LEAST, len(name)) for name in headings], [_LEAST] * len(headings)):
        excess = sum(widths) + len(widths) - 1 - width
        while excess > 0:
            most, widest = max(
                (each if each > floor else 0, place)
                for place, (each, floor) in enumerate(zip(widths, floors, strict=True))
            )
            if not most:
                break
            widths[widest] -= 1
            excess -= 1
    return widths


def _break_row(row: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Returns the lines of a row, whose cells go on in the next line where they are too long."""
    cells = [
        textwrap.wrap(text, width, break_on_hyphens=False) if len(text) > width else [text]
        for text, width in zip(row, widths, strict=True)
    ]
    height = max(map(len, cells))
    return [[cell[line] if line < len(cell) else "" for cell in cells] for line in range(height)]
