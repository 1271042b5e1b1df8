"""The chassis that suit containers of one kind, found out once for a plan.

Which of them have room is found out again only when something was given away,
so that it costs little to say no to many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from .filters import find_refusal, format_full
from .load import Load
from .model import Candidate, Request


def find_kind(request: Request) -> object:
    """Returns what is the same for all requests that the same chassis suit."""
    return (
        request.service_type,
        request.chassis_group,
        request.port_chassis,
        request.requested_chassis,
        request.needs,
        request.policy == "load",
    )


class Suitable:
    """The chassis whose filters pass for 'request'; 'unsuitable' counts why the others' do not."""

    def __init__(self, request: Request, chassis: Iterable[Candidate], load: Load) -> None:
        self.chassis: dict[str, Candidate] = {}
        self.unsuitable: Counter[str] = Counter()
        for each in chassis:
            refusal = find_refusal(request, each)
            if refusal is None:
                self.chassis[each.name] = each
            else:
                self.unsuitable[refusal] += 1
        self.options: Sequence[Candidate] = tuple(self.chassis.values())
        self._load = load
        self._version: int | None = None
        self._open: Sequence[Candidate] = ()
        self._refusals: Counter[str] | None = None

    def find_open(self) -> Sequence[Candidate]:
        """Returns those that have room."""
        self._count()
        return self._open

    def count_refusals(self) -> Counter[str]:
        """Returns how many of all chassis say what to one that is and was on none of them."""
        self._count()
        if self._refusals is None:
            self._refusals = self.unsuitable.copy()
            self._refusals.update(map(self.describe_room, self.options))
        return self._refusals.copy()

    def describe_room(self, candidate: Candidate) -> str:
        """Returns why one that suits takes no container."""
        full = self._load.is_full(candidate)
        return format_full(candidate.limit) if full else "given to another"

    def _count(self) -> None:
        """Counts anew if the load is another than at the last time."""
        if self._version != self._load.version:
            self._version = self._load.version
            self._open = tuple(each for each in self.options if not self._load.is_full(each))
            self._refusals = None


class Remaining:
    """The options of one kind that are not in 'out', a set that only grows.

    What is out is looked at once, not for each container that asks.
    """

    def __init__(self, options: Sequence[Candidate], out: AbstractSet[str]) -> None:
        self._options = options
        self._out = out
        self._count = 0

    def find(self) -> Sequence[Candidate]:
        """Returns them in the order of the options."""
        if self._count != len(self._out):
            self._count = len(self._out)
            self._options = [each for each in self._options if each.name not in self._out]
        return self._options
