"""Nodes 'removal' and 'candidate': each registered chassis as the scheduler sees it, by name."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from ...lib import nb, sb, sealing
from ...lib.placement import DEFAULT_WEIGHT
from ...lib.sequence import has_reached
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ...services.api.outside import OVN_TROUBLE
from ..liveness import Verdict
from ..scheduler.model import UNLIMITED, Candidate
from .tables import (
    CHASSIS,
    CHASSIS_BY_NAME,
    CHASSIS_WORD,
    CHASSIS_WORD_BY_NAME,
    VERDICT,
    find_rows,
)

CANDIDATE: Datum[str, Candidate] = Datum("candidate")
# The chassis that have a label, whatever it says.
CHASSIS_BY_LABEL: Datum[str, AbstractSet[str]] = Datum("chassis_by_label")
PUBLIC_KEY: Datum[str, str] = Datum("public_key")
# A chassis that is dead, and of which an operator says that it is gone for good.
REMOVAL: Datum[str, bool] = Datum("removal")


def run(read: Read, name: str) -> Candidate | None:
    """Returns the candidate; the operator's word on it is optional."""
    rows = find_rows(read, CHASSIS, read(CHASSIS_BY_NAME, name))
    words = find_rows(read, CHASSIS_WORD, read(CHASSIS_WORD_BY_NAME, name))
    if not rows or read(REMOVAL, name):
        return None
    verdict = read(VERDICT, name) or Verdict(alive=False)
    usable_key = read(PUBLIC_KEY, name) is not None
    return _make(rows[0], words[0] if words else None, verdict, usable_key)


def find_removal(read: Read, name: str) -> bool | None:
    """Returns whether all rows of a chassis are to go; None if not."""
    words = find_rows(read, CHASSIS_WORD, read(CHASSIS_WORD_BY_NAME, name))
    if not words or has_reached(words[0].deleted_cfg, words[0].delete_cfg):
        return None
    verdict = read(VERDICT, name)
    return verdict is None or not verdict.alive or None


def find_ovn_trouble(read: Read, name: str) -> str | None:
    """Returns why no port of OVN can be served on a chassis."""
    verdict = read(VERDICT, name)
    return (verdict.ovn_problem or None) if verdict is not None else None


def find_public_key(read: Read, name: str) -> str | None:
    """Returns the public key of a chassis, None if nothing can be sealed to it."""
    rows = find_rows(read, CHASSIS, read(CHASSIS_BY_NAME, name))
    key: str | None = rows[0].public_key if rows else None
    return key if sealing.is_public_key(key) else None


def _make(
    row: sb.Chassis, word: nb.Chassis | None, verdict: Verdict, usable_key: bool
) -> Candidate:
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
        has_key=usable_key,
        stopping=verdict.stopping,
        ovn_problem=verdict.ovn_problem,
        overloaded=verdict.overloaded,
        labels={**row.other_config, **(word.external_ids if word else {})},
    )


NODES: tuple[AnyNode, ...] = (
    Node(PUBLIC_KEY, find_public_key, (CHASSIS_BY_NAME,), (CHASSIS,)),
    Node(OVN_TROUBLE, find_ovn_trouble, (VERDICT,)),
    Node(REMOVAL, find_removal, (CHASSIS_WORD_BY_NAME,), (CHASSIS_WORD, VERDICT)),
    Node(
        CANDIDATE,
        run,
        (CHASSIS_BY_NAME,),
        (CHASSIS, CHASSIS_WORD, CHASSIS_WORD_BY_NAME, VERDICT, PUBLIC_KEY, REMOVAL),
    ),
    Index(CHASSIS_BY_LABEL, CANDIDATE, lambda _name, candidate: candidate.labels),
)
