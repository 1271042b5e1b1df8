"""What the programs under test logged, so that a test can fail on a warning.

python-ovs logs nothing in a process that did not initialise vlog, and allows
no new modules once it is; so its one logging function is replaced for the test
run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import ovs.vlog

_LOUD = ("emer", "err", "warn")


@dataclass
class Logs:
    """The messages since the last clear(), as (level, module, text)."""

    messages: list[tuple[str, str, str]] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def install(self) -> None:
        """Takes every message of every vlog module from now on."""

        def log(module: Any, level: str, message: str, **_options: Any) -> None:
            self.messages.append((level.lower(), module.name, str(message)))

        ovs.vlog.Vlog._Vlog__log = log

    def clear(self) -> None:
        """Forgets messages and what was allowed."""
        self.messages.clear()
        self.allowed.clear()

    def allow(self, pattern: str) -> None:
        """Lets warnings that match the regular expression 'pattern' pass."""
        self.allowed.append(pattern)

    def count(self, words: str) -> int:
        """Returns how many messages have these words."""
        return sum(words in text for _level, _module, text in self.messages)

    def find_warnings(self) -> list[str]:
        """Returns warnings and errors that were not allowed."""
        return [
            f"{module}: {text}"
            for level, module, text in self.messages
            if level in _LOUD and not any(re.search(each, text) for each in self.allowed)
        ]


LOGS = Logs()
