"""Which containers a database forgot: its rows of them were there before an outage, and not after.

A row of ours that goes while a connection is up was deleted by somebody, or by
svc-northd itself.  One that is missing when the connection is back went with
the content: the file was restored from an older one, or another server answers.
That is no order to end what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

import ovs.vlog

from ...lib import sb
from ...lib.rows import Row
from ..engine.ledger import Mark
from ..ovn import rows as ovn_rows
from . import ovn, southbound

vlog = ovs.vlog.Vlog("forgotten")

# The runtime command by which an operator takes what is there for what is meant.
ACCEPT = "content/accept"

# The rows that a container has in each database as long as it is there, and whose they are.
# OVN removes what hangs on a router with it; a switch of ours goes by itself only.
_ANCHORS: Mapping[str, tuple[type[Row], Callable[[Row], Mark | None]]] = {
    "sb": (sb.ContainerBinding, southbound.find_mark),
    "ovn": (ovn_rows.LogicalSwitch, ovn.find_mark),
}
_DATABASES = {"sb": "SVC_Southbound", "ovn": "OVN_Northbound"}


class Forgotten:
    """The names of the containers, by database, until their rows are there again."""

    def __init__(self) -> None:
        self._connections: dict[str, int] = {}
        self._names: dict[str, set[str]] = {prefix: set() for prefix in _ANCHORS}
        self._told = ""

    @property
    def names(self) -> frozenset[str]:
        """Whom any database forgot."""
        return frozenset().union(*self._names.values())

    def is_known(self, prefix: str) -> bool:
        """Returns whether a database has everything that it had."""
        return not self._names[prefix]

    def tell(self, held: frozenset[str]) -> list[str]:
        """Returns a sentence if any of 'held' goes on only because of this; logs a change of it."""
        sentence = self._describe(held) if held else ""
        if sentence != self._told:
            self._told = sentence
            if sentence:
                vlog.warn(sentence)
            else:
                vlog.info("nothing goes on that a database forgot")
        return [sentence] if sentence else []

    def _describe(self, held: frozenset[str]) -> str:
        databases = [_DATABASES[prefix] for prefix, each in self._names.items() if each & held]
        return (
            f"{' and '.join(databases)} lost content: {format_names(held)} goes on though nothing"
            f" asks for it; restore it, or run '{ACCEPT}' on svc-northd if that is meant"
        )

    def note(
        self,
        prefix: str,
        connection: int | None,
        changed: Mapping[str, Mapping[UUID, Any]],
        is_wanted: Callable[[str, Mark], bool],
    ) -> None:
        """Takes what changed, by table, of a database that is in sync over 'connection'.

        'is_wanted' says of a container whether its rows were to stay there until now:
        what svc-northd took away itself, and had no answer for, is not forgotten.
        """
        if connection is None:
            return
        anew = self._connections.get(prefix, connection) != connection
        self._connections[prefix] = connection
        row_class, find_mark = _ANCHORS[prefix]
        gone: dict[str, bool] = {}
        come = set()
        for old, new in changed.get(row_class.TABLE, {}).values():
            mark = find_mark(new or old)
            if mark is not None and new is None:
                if is_wanted(row_class.TABLE, mark):
                    gone[_find_name(mark)] = mark.foreign
            elif mark is not None:
                come.add(_find_name(mark))
        # An operator may delete a row of theirs during an outage, but none of ours.
        if anew and not all(gone.values()):
            self._names[prefix] |= gone.keys()
        self._names[prefix] -= come

    def release(self, names: AbstractSet[str]) -> None:
        """Notes of whom nothing is left."""
        for each in self._names.values():
            each.difference_update(names)

    def accept(self) -> None:
        """Takes what is there for what is meant."""
        for names in self._names.values():
            names.clear()


def _find_name(mark: Mark) -> str:
    assert isinstance(mark.owner, tuple)
    return str(mark.owner[1])


def format_names(names: Collection[str]) -> str:
    """Returns the first of some names, and how many more there are."""
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return min(names) + more
