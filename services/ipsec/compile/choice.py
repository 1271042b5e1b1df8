"""Which connections of a router stand, and by which entry of the configuration each.

What has a problem goes on as its container was last given it.  So the order in
which connections are taken is: those that go on as they were; those that run
and did not change; those that run and changed, which go on as they were if they
contend; newcomers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ....lib.addresses import quote
from ...api.compile import LAST
from ...api.node import Read
from ..contention import Contender, Contention, make_last_contender
from .checked import Checked
from .last import Entry, LastGiven, parse_last


@dataclass(slots=True)
class Choice:
    """Which connections stand, and by which entry each."""

    read: Read
    container: str
    service_problems: Mapping[UUID, str]
    entries: dict[str, Entry] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    problems: dict[UUID, str] = field(default_factory=dict)
    # Of those that stand: sentences on newcomers that are refused since they are there.
    contested: dict[UUID, str] = field(default_factory=dict)
    _last: LastGiven | None = None

    def take(self, members: list[Checked]) -> None:
        """Takes the connections of a router."""
        if all(self._find_problem(each) is None for each in members) and _get_along(members):
            for each in members:
                self._enter(each, each.entry)
            return
        # Only where something is wrong it matters what runs.
        self._take_with_last(members)

    def find_last_addresses(self) -> tuple[str, ...]:
        """Returns the outer addresses that the container was last given."""
        return self._read_last().outer_addresses

    def _take_with_last(self, members: Iterable[Checked]) -> None:
        contention = Contention()
        ranked: list[list[Checked]] = [[], [], [], []]
        for each in sorted(members, key=lambda each: (each.row.name, each.row.uuid)):
            ranked[self._rank(each)].append(each)
        bad, same, changed, new = ranked
        for each in (*bad, *same):
            self._take_one(each, contention)
        self._take_changed(changed, contention)
        for each in new:
            self._take_one(each, contention)

    def _take_one(self, each: Checked, contention: Contention) -> None:
        problem = self._find_problem(each) or contention.add(each.contender)
        if problem is None:
            self._enter(each, each.entry)
        else:
            self._refuse(each, problem, contention)

    def _take_changed(self, changed: Iterable[Checked], contention: Contention) -> None:
        """Takes those that run and changed.

        One that contends goes on as it was, so that what it has is not free for
        another one of them either.
        """
        moving, refused = Contention(), deque[tuple[Checked, str]]()
        going: dict[str, Checked] = {}
        for each in changed:
            problem = contention.find_problem(each.contender) or moving.add(each.contender)
            if problem is None:
                going[each.contender.uuid] = each
            else:
                refused.append((each, problem))
        while refused:
            kept = self._refuse(*refused.popleft(), contention)
            for uuid, problem in moving.find_contending(kept) if kept is not None else ():
                other = going.pop(uuid, None)
                if other is not None:
                    refused.append((other, problem))
        for each in going.values():
            contention.keep(each.contender)
            self._enter(each, each.entry)

    def _refuse(self, each: Checked, problem: str, contention: Contention) -> Contender | None:
        """Notes why a connection is not as its row says; returns as what it goes on."""
        self.problems.update(self._tell(each, problem))
        rival = contention.find_rival(each.contender) if not self._find_problem(each) else None
        if rival is not None:
            words = f"contested by connection {quote(each.row.name)}"
            self.contested.setdefault(UUID(rival), words)
        last = self._find_last(each)
        if last is None:
            return None
        kept = make_last_contender(each.owner, each.row, last)
        contention.keep(kept)
        self.kept.add(kept.uuid)
        self._enter(each, last)
        return kept

    def _rank(self, each: Checked) -> int:
        last = self._find_last(each)
        if self._find_problem(each) is not None:
            return 0
        if last is None:
            return 3
        return 1 if last == each.entry else 2

    def _find_problem(self, each: Checked) -> str | None:
        return each.problem or self.service_problems.get(each.owner.uuid)

    def _tell(self, each: Checked, problem: str) -> Iterator[tuple[UUID, str]]:
        if each.problem is None and each.owner.uuid in self.service_problems:
            return  # the service's own row says it
        yield each.row.uuid, problem

    def _enter(self, each: Checked, entry: Entry | None) -> None:
        if entry is not None and each.contender.enabled:
            self.entries[each.contender.uuid] = entry

    def _find_last(self, each: Checked) -> Entry | None:
        if not each.contender.enabled:
            return None
        return self._read_last().entries.get(each.contender.uuid)

    def _read_last(self) -> LastGiven:
        if self._last is None:
            last = self.read(LAST, self.container)
            self._last = parse_last(last.configuration) if last is not None else LastGiven()
        return self._last


def _get_along(members: Sequence[Checked]) -> bool:
    """Returns whether no connection contends with another; one alone does not."""
    if len(members) < 2:
        return True
    contention = Contention()
    return all(contention.add(each.contender) is None for each in members)
