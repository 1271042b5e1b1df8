"""What a kind of operation of the soak is.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .soak_model import State

Words = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of operation.

    'list_words' gives target and value of each that can be done, 'lead' the state after it, and
    'weight' how often it is chosen.  One with 'commands' needs svcctl.
    """

    weight: int
    list_words: Callable[[State], Iterable[Words]]
    lead: Callable[[State, str, str], State]
    commands: bool = True


def stay(state: State, _target: str, _value: str) -> State:
    """Leads to the same state."""
    return state


def mark(there: frozenset[str], name: str, marked: bool) -> frozenset[str]:
    """Returns the set with or without 'name'."""
    return there | {name} if marked else there - {name}


def list_vpns(state: State) -> Iterator[Words]:
    """Gives every VPN."""
    yield from ((str(number), "") for number in state.vpns)
