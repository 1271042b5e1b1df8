"""Nodes of single options, so that a change of one computes only what goes by that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...services.api.node import AnyNode, Datum, Node, Read
from ..options import Options
from ..scheduler.model import MoveRules
from .tables import ONLY, OPTIONS, OVN_PROBLEM

V = TypeVar("V")

SEAL_SEED: Datum[str, str] = Datum("seal_seed")
CONTAINER_MTU: Datum[str, int] = Datum("container_mtu")
START_TIMEOUT_MS: Datum[str, int] = Datum("start_timeout")
MOVE_RULES: Datum[str, MoveRules] = Datum("move_rules")


def _pick(choose: Callable[[Options], V | None]) -> Callable[[Read, str], V | None]:
    def run(read: Read, _key: str) -> V | None:
        options = read(OPTIONS, ONLY)
        return choose(options) if options is not None else None

    return run


def find_move_rules(read: Read, _key: str) -> MoveRules | None:
    """Returns what moves go by; None without options."""
    options = read(OPTIONS, ONLY)
    if options is None:
        return None
    held = read(OVN_PROBLEM, ONLY) is not None
    return MoveRules(options.enforce_container_limit, options.drain_moves, held)


NODES: tuple[AnyNode, ...] = (
    Node(SEAL_SEED, _pick(lambda options: options.seal_seed), (OPTIONS,)),
    Node(CONTAINER_MTU, _pick(lambda options: options.container_mtu), (OPTIONS,)),
    Node(START_TIMEOUT_MS, _pick(lambda options: options.container_start_timeout_ms), (OPTIONS,)),
    Node(MOVE_RULES, find_move_rules, (OPTIONS,), (OVN_PROBLEM,)),
)
