"""Numbers in text that anybody may have written."""

from __future__ import annotations

_LONGEST = 19


def parse_number(text: str, least: int, most: int) -> int | None:
    """Returns the decimal number in 'text', None if it is not one from 'least' to 'most'."""
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST):
        return None
    number = int(text)
    return number if least <= number <= most else None
