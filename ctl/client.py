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

METHOD = "answer"

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
    first, _, rest = result.partition("\n")
    status, lines = map(int, first.split())
    for _ in range(lines):
        line, _, rest = rest.partition("\n")
        sys.stderr.write(f"{line}\n")
    sys.stdout.write(rest.removesuffix("\n").removesuffix("."))
    sys.stdout.flush()
    return status


def format_answer(status: int, out: str, err: str) -> str:
    """Returns a reply: the status and the number of lines of 'err'; those; 'out'; a dot."""
    lines = err.splitlines()
    return "\n".join([f"{status} {len(lines)}", *lines, f"{out}.\n"])


def _exchange(path: str, words: Sequence[str]) -> str:
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
                    raise UsageError(str(message["error"]).rstrip("\n"))
                return str(message["result"])
