"""Which connections of a router stand, and by which entry of the configuration each.

What has a problem goes on as its container was last given it.  So the order in
which connections are taken is: those that go on as they were; those that run
and did not change; those that run and changed, which go on as they were if they
contend; newcomers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from ...api.compile import LAST
from ...api.node import Read
from ..contention import Contention, make_last_contender
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
    _last: LastGiven | None = None

    def take(self, members: list[Checked]) -> None:
        """Takes the connections of a router."""
        well = [each for each in members if self._find_problem(each) is None]
        contention = Contention()
        if len(well) == len(members) and all(
            contention.add(each.contender) is None for each in well
        ):
            for each in well:
                self._enter(each, each.entry)
            return
        # Only where something is wrong it matters what runs.
        self._take_with_last(members)

    def find_last_addresses(self) -> tuple[str, ...]:
        """Returns the outer addresses that the container was last given."""
        return self._read_last().outer_addresses

    def _take_with_last(self, members: Iterable[Checked]) -> None:
        contention = Contention()
        for _, each in sorted(
            ((self._rank(each), each) for each in members), key=lambda pair: pair[0]
        ):
            problem = self._find_problem(each) or contention.add(each.contender)
            entry = each.entry
            if problem is not None:
                self.problems.update(self._tell(each, problem))
                entry = self._keep(each, contention)
            self._enter(each, entry)

    def _rank(self, each: Checked) -> tuple[int, str, UUID]:
        last = self._find_last(each)
        if self._find_problem(each) is not None:
            order = 0
        elif last is None:
            order = 3
        else:
            order = 1 if last == each.entry else 2
        return order, each.row.name, each.row.uuid

    def _find_problem(self, each: Checked) -> str | None:
        return each.problem or self.service_problems.get(each.owner.uuid)

    def _tell(self, each: Checked, problem: str) -> Iterator[tuple[UUID, str]]:
        if each.problem is None and each.owner.uuid in self.service_problems:
            return  # the service's own row says it
        yield each.row.uuid, problem

    def _keep(self, each: Checked, contention: Contention) -> Entry | None:
        """Returns the entry by which a connection goes on, None if it did not run."""
        last = self._find_last(each)
        if last is None:
            return None
        contention.keep(make_last_contender(each.owner, each.row, last))
        self.kept.add(str(each.row.uuid))
        return last

    def _enter(self, each: Checked, entry: Entry | None) -> None:
        if entry is not None and each.contender.enabled:
            self.entries[str(each.row.uuid)] = entry

    def _find_last(self, each: Checked) -> Entry | None:
        if not each.contender.enabled:
            return None
        return self._read_last().entries.get(str(each.row.uuid))

    def _read_last(self) -> LastGiven:
        if self._last is None:
            last = self.read(LAST, self.container)
            self._last = parse_last(last.configuration) if last is not None else LastGiven()
        return self._last
