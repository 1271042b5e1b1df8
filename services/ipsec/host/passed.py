"""What went through the child SAs of a tunnel, over all that it has had.

Pure but for its own memory.  charon tells the counters of an SA while it is listed, and a
last time as it is replaced or ends; of one that is being deleted it tells less than before.
So of each SA the greatest of what was told counts, and an SA that nobody lists is kept as
a part of a sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from . import sa_facts
from .sa_facts import Sa
from .vici import text

Counters = dict[str, int]


@dataclass(slots=True)
class Passed:
    """The counters of one tunnel since it is up, by the name of a child SA.

    Numbers of SAs only grow; those up to 'former' are of a time when it was up before.
    """

    former: int = 0
    latest: int = 0
    _ended: dict[str, Counters] = field(default_factory=dict)
    _there: dict[int, tuple[str, Counters]] = field(default_factory=dict)
    _missed: set[int] = field(default_factory=set)

    def note(self, children: Iterable[Sa]) -> None:
        """Takes what charon tells of child SAs."""
        for child in children:
            number = sa_facts.find_number(child)
            if number > self.former:
                name, told = text(child.get("name")), sa_facts.count([child])
                _, known = self._there.get(number, (name, told))
                self._there[number] = name, {key: max(known[key], told[key]) for key in told}
                self.latest = max(self.latest, number)

    def keep(self, children: Iterable[Sa]) -> None:
        """Notes that charon lists these and no other.

        What it lists no more is part of the sum at the second list without it, when the
        last word on it has come.
        """
        missed = self._there.keys() - set(map(sa_facts.find_number, children))
        for number in missed & self._missed:
            name, counters = self._there.pop(number)
            self._ended[name] = sa_facts.add(self._ended.get(name), counters)
        self._missed = missed & self._there.keys()

    def restart(self) -> None:
        """Begins at nothing: what was there belongs to a time that is over."""
        self.former = self.latest
        self._ended, self._there = {}, {}

    def forget(self) -> None:
        """Begins at nothing with another charon, which numbers its SAs from one."""
        self.latest = 0
        self.restart()

    def find_sums(self) -> dict[str, Counters]:
        """Returns what went through all SAs of each name."""
        found = dict(self._ended)
        for name, counters in self._there.values():
            found[name] = sa_facts.add(found.get(name), counters)
        return found
