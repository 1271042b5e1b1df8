"""Where each container runs: a pure function of a snapshot.

'schedule' gets what wants a place, what the chassis are like and where things
are now; it returns a place for everything that can have one, and a sentence
for everything that cannot or that had to move.  Nothing here looks at a clock
or a database.  What is fine where it is stays there: weights, counts and
policies decide about new places only.

Filters say why a chassis is refused, so that an unplaced container can tell
how many chassis refused it and for what reason.  Ties are settled by name: the
same snapshot gives the same plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chassis as the scheduler sees it.

    'weight' is its share (0 takes nothing), 'limit' the most containers it
    takes (UNLIMITED for no limit).  'service_problems' says of a type that it
    could run why it cannot.
    """

    name: str
    service_types: frozenset[str] = frozenset()
    service_problems: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1
    limit: int = UNLIMITED
    drain: bool = False
    alive: bool = True
    has_key: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A container that wants a place.

    'chassis_group' holds the names of the chassis it may use, None for any;
    'requested_chassis' pins it to one.  With a 'problem' it gets no new place.
    """

    name: str
    service_type: str
    group: str = ""
    policy: str = "weighted"
    problem: str | None = None
    chassis_group: frozenset[str] | None = None
    requested_chassis: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The chassis of each placed container, and sentences on those with a problem."""

    chassis: Mapping[str, str]
    reasons: Mapping[str, str]


Filter = Callable[[Request, Candidate], str | None]


def schedule(
    requests: Iterable[Request],
    candidates: Iterable[Candidate],
    bindings: Mapping[str, str],
) -> Plan:
    """Returns the plan; 'bindings' are the present places, by container."""
    chassis = {each.name: each for each in candidates}
    ordered = sorted(requests, key=_rank_need)
    placed = {
        request.name: bindings[request.name]
        for request in ordered
        if _stays(request, chassis.get(bindings.get(request.name, "")))
    }
    load = _Load(ordered, placed)
    reasons: dict[str, str] = {}
    for request in ordered:
        if request.name in placed:
            continue
        chosen = _choose(request, chassis, load)
        if chosen is not None:
            placed[request.name] = chosen
            load.add(request, chosen)
            continue
        reasons[request.name] = explain(request, list(chassis.values()), load.total)
        present = bindings.get(request.name)
        if present in chassis:
            # With no other place, to unbind it would end it for nothing: it may
            # run there still, behind a lost heartbeat or beside a wrong pin.
            placed[request.name] = present
            load.add(request, present)
    return Plan(placed, reasons)


def explain(
    request: Request, candidates: Sequence[Candidate], scheduled: Mapping[str, int]
) -> str:
    """Returns the sentence that says why no chassis takes 'request'.

    Reasons stand with the number of chassis that gave them, the most frequent
    first.
    """
    if request.problem is not None:
        return request.problem
    if not candidates:
        return "no chassis is registered"
    refusals = Counter(
        _refuse(request, each) or _refuse_full(each, scheduled) or "" for each in candidates
    )
    parts = [
        f"{count} {reason}"
        for reason, count in sorted(refusals.items(), key=lambda item: (-item[1], item[0]))
    ]
    return f"no chassis can run it, {len(candidates)} refused: " + "; ".join(parts)


class _Load:
    """Containers for each chassis, in all and of each group, decisions of this plan included."""

    def __init__(self, requests: Sequence[Request], placed: Mapping[str, str]) -> None:
        self.total: Counter[str] = Counter()
        self.group: Counter[tuple[str, str]] = Counter()
        for request in requests:
            if request.name in placed:
                self.add(request, placed[request.name])

    def add(self, request: Request, chassis: str) -> None:
        self.total[chassis] += 1
        self.group[request.group, chassis] += 1


def _rank_need(request: Request) -> tuple[bool, bool, str]:
    """Returns the order in which requests choose: those with the fewest places to go first.

    Otherwise one that could go anywhere might take the last place on the only
    chassis that another may use.
    """
    return request.requested_chassis is None, request.chassis_group is None, request.name


def _stays(request: Request, candidate: Candidate | None) -> bool:
    """Returns whether a container that runs on 'candidate' is fine there.

    What counts against a new place only, such as a program that was found
    missing a minute ago, does not end what runs.
    """
    if candidate is None:
        return False
    return not any(check(request, candidate) for check in STAYING_FILTERS)


def _choose(request: Request, chassis: Mapping[str, Candidate], load: _Load) -> str | None:
    eligible = [
        each
        for each in chassis.values()
        if _refuse(request, each) is None and _refuse_full(each, load.total) is None
    ]
    if request.problem is not None or not eligible:
        return None
    rank = _least if request.policy == "least" else _weighted
    return min(eligible, key=lambda each: (rank(request, each, load), each.name)).name


def _least(_request: Request, candidate: Candidate, load: _Load) -> float:
    """Fewest containers of any kind, relative to the weight."""
    return (load.total[candidate.name] + 1) / candidate.weight


def _weighted(request: Request, candidate: Candidate, load: _Load) -> float:
    """The chassis that is furthest below its share of the group's containers."""
    return (load.group[request.group, candidate.name] + 1) / candidate.weight


def _refuse(request: Request, candidate: Candidate) -> str | None:
    for check in FILTERS:
        reason = check(request, candidate)
        if reason is not None:
            return reason
    return None


def _refuse_unrequested(request: Request, candidate: Candidate) -> str | None:
    wanted = request.requested_chassis
    if wanted in (None, candidate.name):
        return None
    return f"not the requested chassis {wanted}"


def _refuse_group(request: Request, candidate: Candidate) -> str | None:
    group = request.chassis_group
    return None if group is None or candidate.name in group else "not in the chassis group"


def _refuse_type(request: Request, candidate: Candidate) -> str | None:
    if request.service_type in candidate.service_types:
        return None
    problem = candidate.service_problems.get(request.service_type)
    why = f" ({problem})" if problem else ""
    return f"without service type {request.service_type}{why}"


def _refuse_keyless(_request: Request, candidate: Candidate) -> str | None:
    return None if candidate.has_key else "without a usable public key"


def _refuse_dead(_request: Request, candidate: Candidate) -> str | None:
    return None if candidate.alive else "dead"


def _refuse_weightless(_request: Request, candidate: Candidate) -> str | None:
    return None if candidate.weight > 0 else "of weight 0"


def _refuse_drained(_request: Request, candidate: Candidate) -> str | None:
    return "drained" if candidate.drain else None


FILTERS: tuple[Filter, ...] = (
    _refuse_unrequested,
    _refuse_group,
    _refuse_type,
    _refuse_keyless,
    _refuse_dead,
    _refuse_weightless,
    _refuse_drained,
)


STAYING_FILTERS = tuple(
    check for check in FILTERS if check not in (_refuse_type, _refuse_keyless)
)


def _refuse_full(candidate: Candidate, scheduled: Mapping[str, int]) -> str | None:
    if candidate.limit == UNLIMITED or scheduled.get(candidate.name, 0) < candidate.limit:
        return None
    return f"full (limit {candidate.limit})"
