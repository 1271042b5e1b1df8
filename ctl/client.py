"""Asks a svcctl that runs as a daemon (daemon.py) to run a command line.

utilities/svcctl does so itself where ovs-appctl is installed, without Python.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence

from ..lib import dirs
from ..lib.errors import UsageError
from .db.framing import Framing

METHOD = "reply"

_RECEIVE_BYTES = 1 << 18


def ask(path: str, words: Sequence[str], advice: str) -> int:
    """Prints what the daemon at the socket 'path' answers to a command line; returns its status.

    'advice' ends the sentence that there is none.
    """
    where = os.path.join(dirs.RUNDIR, path)
    try:
        result = _exchange(where, words)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f'cannot connect to "{where}" ({reason}){advice}') from None
    except ValueError:
        raise UsageError(f'"{where}" is no daemon of svcctl{advice}') from None
    status, out, err = result
    sys.stderr.write(err)
    sys.stdout.write(out)
    sys.stdout.flush()
    return status


def format_answer(status: int, out: str, err: str) -> tuple[bool, str]:
    """Returns whether a command did nothing but print, and its reply.

    That is what it has printed, so that who asks can let it through.  Else it is an error of
    the status and the number of lines of 'err'; those; 'out'; a dot.
    """
    if status == 0 and not err and out[-1:] in ("", "\n"):
        return True, out
    lines = err.splitlines()
    return False, "\n".join([f"{status} {len(lines)}", *lines, f"{out}.\n"])


def _parse_answer(text: str) -> tuple[int, str, str]:
    """Returns status and outputs of a command; raises UsageError if 'text' is of the daemon."""
    first, _, rest = text.partition("\n")
    words = first.split(" ")
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        raise UsageError(text.rstrip("\n"))
    err = ""
    for _ in range(int(words[1])):
        line, _, rest = rest.partition("\n")
        err += f"{line}\n"
    return int(words[0]), rest.removesuffix("\n").removesuffix("."), err


def _exchange(path: str, words: Sequence[str]) -> tuple[int, str, str]:
    """Returns the status of a command, and what it has printed to stdout and stderr."""
    request = {"id": 0, "method": METHOD, "params": list(words)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.sendall(json.dumps(request).encode())
        framing = Framing()
        while True:
            piece = connection.recv(_RECEIVE_BYTES)
            if not piece:
                raise ConnectionResetError(0, "the daemon ended")
            for message in framing.feed(piece):
                if message.get("error") is not None:
                    return _parse_answer(str(message["error"]))
                return 0, str(message["result"]), ""
