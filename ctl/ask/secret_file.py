"""Reads a secret from a file or standard input, so that it is in no list of processes."""

from __future__ import annotations

import codecs
import sys

from ...lib.errors import UsageError
from ..context import Context

_LONGEST_LINE_BYTES = 4096
_LONGEST_TEXT_BYTES = 65536


def read_secret(context: Context, given: str, path: str, noun: str, *, one_line: bool) -> str:
    """Returns what a file has, or standard input for "-", without its last newline.

    'given' is the option as it was written; it is read once, though the command
    may have to run again.  Raises UsageError if there is nothing, or not UTF-8.
    """
    if given not in context.memory:
        longest = _LONGEST_LINE_BYTES if one_line else _LONGEST_TEXT_BYTES
        try:
            content = _read(path, longest + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"{given}: {reason}") from None
        if len(content) > longest:
            raise UsageError(f"{given}: longer than {longest} bytes")
        context.memory[given] = _decode(content, given, noun, one_line)
    return context.memory[given]


def _read(path: str, size: int) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(size)
    with open(path, "rb") as file:
        return file.read(size)


def _decode(content: bytes, given: str, noun: str, one_line: bool) -> str:
    try:
        # What an editor put before the text as a mark of its encoding is no part of it.
        text = content.removeprefix(codecs.BOM_UTF8).decode()
        secret = text.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(f"{given}: not UTF-8 text") from None
    if not secret:
        raise UsageError(f"{given}: the {noun} is empty")
    if one_line and ("\0" in secret or "\n" in secret):
        raise UsageError(f"{given}: more than one line; a {noun} is one")
    if "\0" in secret:
        raise UsageError(f"{given}: not text, since it has a NUL")
    return secret
