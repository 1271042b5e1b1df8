"""Node 'chassis': each registered chassis as the scheduler sees it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from uuid import UUID

from ..lib import nb, sb, sealing
from .liveness import Verdict
from .scheduler.model import UNLIMITED, Candidate

DEFAULT_WEIGHT = 1


def run(
    registered: Mapping[UUID, sb.Chassis],
    operator: Mapping[UUID, nb.Chassis],
    alive: Mapping[str, Verdict],
) -> tuple[Candidate, ...]:
    """Returns the candidates by name; the operator's word is optional for each."""
    words = {row.name: row for row in operator.values()}
    rows = sorted(registered.values(), key=lambda row: row.name)
    unheard = Verdict(alive=False)
    return tuple(_make(row, words.get(row.name), alive.get(row.name, unheard)) for row in rows)


def _make(row: sb.Chassis, word: nb.Chassis | None, verdict: Verdict) -> Candidate:
    weight = word.container_weight if word else None
    limit = word.container_limit if word else None
    return Candidate(
        name=row.name,
        service_types=frozenset(row.service_types),
        service_problems=row.service_problems,
        weight=DEFAULT_WEIGHT if weight is None else weight,
        limit=UNLIMITED if limit is None else limit,
        drain=word.drain if word else False,
        alive=verdict.alive,
        has_key=_is_public_key(row.public_key),
        stopping=verdict.stopping,
        ovn_problem=verdict.ovn_problem,
        overloaded=verdict.overloaded,
        labels={**row.other_config, **(word.external_ids if word else {})},
    )


_is_public_key = functools.lru_cache(maxsize=4096)(sealing.is_public_key)
