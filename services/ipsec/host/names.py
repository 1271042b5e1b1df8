"""Names of IKE connections as charon's log has them, with those that people know.

Everywhere else an IKE connection has a name that stays (ike.find_name()); people look
for SERVICE/CONNECTION.  So charon is given both, and what it says is stripped of the
first.  A connection that is renamed keeps the name that charon has, since another name
would be another connection, until charon is given it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_MARK = "~"
# A name of vici has 255 bytes at most.
_LONGEST = 120
_STRANGE = re.compile(r"[^A-Za-z0-9._/,-]")
_LABEL = re.compile(r"[A-Za-z0-9._/,-]+~(?=[0-9a-f]{8}-[0-9a-f]{4}-)")


class Names:
    """The names of the IKE connections of one charon."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        # What charon was seen to have.
        self._known: dict[str, str] = {}

    def want(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Notes which IKE connections there are, and what people call the connections of each."""
        names: dict[str, list[str]] = {}
        for name, called in pairs:
            names.setdefault(name, []).append(_STRANGE.sub("_", called))
        self._labels = {name: ",".join(each)[:_LONGEST] for name, each in names.items()}

    def forget(self) -> None:
        """Notes that it is not known what charon has."""
        self._known = {}

    def to_charon(self, command: str, message: Mapping[str, Any] | None) -> Any:
        """Returns a message as charon is sent it."""
        if message is None:
            return None
        if command == "load-conn":
            self._known |= {name: self._find(name) for name in message}
            return {self._known[name]: each for name, each in message.items()}
        key = {"unload-conn": "name", "initiate": "ike", "terminate": "ike"}.get(command)
        if key is None or key not in message:
            return message
        name = message[key]
        found = self._known.pop(name, name) if command == "unload-conn" else self._find(name)
        return {**message, key: found}

    def from_charon(self, event: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns an event as it is without what people call connections."""
        if event == "log":
            return {key: _strip(value) for key, value in message.items()}
        if event == "list-conn":
            self._known |= {_strip(name): name for name in message}
        return {_strip(name): each for name, each in message.items()}

    def _find(self, name: str) -> str:
        label = self._labels.get(name)
        return self._known.get(name) or (f"{label}{_MARK}{name}" if label else name)


def _strip(value: Any) -> Any:
    if isinstance(value, bytes):
        text = value.decode(errors="surrogateescape")
        return _LABEL.sub("", text).encode(errors="surrogateescape") if _MARK in text else value
    return _LABEL.sub("", value) if isinstance(value, str) else value
