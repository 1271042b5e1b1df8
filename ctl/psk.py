"""Reads a pre-shared key for conn-add and conn-set, from a file or standard input."""

from __future__ import annotations

import sys

from ..lib.addresses import quote
from ..lib.errors import UsageError
from .command import Context

_LONGEST_PSK_BYTES = 4096


def read_psk(context: Context, path: str) -> str:
    """Returns the key in a file, or on standard input for "-", without its newline."""
    if "psk-file" not in context.memory:
        try:
            if path == "-":
                content = sys.stdin.buffer.read(_LONGEST_PSK_BYTES + 1)
            else:
                with open(path, "rb") as file:
                    content = file.read(_LONGEST_PSK_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"--psk-file={quote(path)}: {reason}") from None
        context.memory["psk-file"] = _decode_psk(path, content)
    return context.memory["psk-file"]


def _decode_psk(path: str, content: bytes) -> str:
    subject = f"--psk-file={quote(path)}"
    if len(content) > _LONGEST_PSK_BYTES:
        raise UsageError(f"{subject}: longer than {_LONGEST_PSK_BYTES} bytes")
    try:
        psk = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(f"{subject}: not UTF-8 text") from None
    if not psk:
        raise UsageError(f"{subject}: the pre-shared key is empty")
    if "\0" in psk or "\n" in psk:
        raise UsageError(f"{subject}: more than one line; a pre-shared key is one")
    return psk
