"""Whether the kernel does ESP: asked by a process of its own, for as long as it takes.

A kernel that loads modules for the question may take seconds.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

_STATE = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode tunnel"
_ALGORITHMS = f"enc cbc(aes) 0x{'00' * 16} auth hmac(sha256) 0x{'00' * 32}"
# In a namespace of its own, with which the state goes.
COMMAND = (
    *("unshare", "--net", "ip", "xfrm", "state", "add"),
    *_STATE.split(),
    *_ALGORITHMS.split(),
)

WAITING = "the kernel has not said yet whether it has ESP"
AGAIN_MS = 2000

# ip(8): the kernel refused.  env(1), and so unshare(1): there is no such program.
_REFUSED = 2
_NO_PROGRAM = (126, 127)
_NO_NETLINK = "netlink socket"
_NO_ROOM = ("Cannot allocate memory", "No buffer space available")


class EspQuestion:
    """Asks until there is an answer; 'problem' says why there is none yet."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self.problem = WAITING
        self._command = command
        self._child: subprocess.Popen[str] | None = None
        self._ask_at_ms = 0

    def find(self, now_ms: int) -> bool | None:
        """Returns whether the kernel has ESP, None while that is not known; never waits."""
        if self._child is None:
            return self._ask(now_ms)
        code = self._child.poll()
        if code is None:
            return None
        _nothing, said = self._child.communicate()
        self._child = None
        answer = read_answer(code, said)
        if answer is None:
            how = said.strip() or f"the question ended with status {code}"
            self.problem = f"{WAITING}: {how}; it is asked again"
            self._ask_at_ms = now_ms + AGAIN_MS
        return answer

    def _ask(self, now_ms: int) -> bool | None:
        if now_ms < self._ask_at_ms:
            return None
        try:
            self._child = subprocess.Popen(
                list(self._command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except FileNotFoundError:
            return False
        except OSError as error:  # no memory, no process
            self.problem = f"{WAITING}: {error}; it is asked again"
            self._ask_at_ms = now_ms + AGAIN_MS
        return None


def read_answer(code: int, said: str) -> bool | None:
    """Returns what the end of the question says of the kernel, None if nothing.  Pure."""
    if code == 0:
        return True
    refused = code == _REFUSED and not any(each in said for each in _NO_ROOM)
    if refused or code in _NO_PROGRAM or _NO_NETLINK in said:
        return False
    return None
