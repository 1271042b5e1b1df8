"""Which operations the soak does, from a seeded random over the model of the lab.  Pure.

Of the operations that leave a sound state one is chosen, so that a seed gives the same operations
every time.
"""

from __future__ import annotations

import random

from .soak_model import CHASSIS_PROCESSES, DATABASES, Operation, State
from .soak_rule import Words
from .soak_rules import RULES

ROUND_MIN, ROUND_MAX = 4, 8


def lead(state: State, operation: Operation) -> State:
    """Returns the state after an operation."""
    return RULES[operation.name].lead(state, operation.target, operation.value)


def list_operations(state: State, name: str) -> list[Operation]:
    """Returns the operations of one kind that can be done and leave a sound state."""
    rule = RULES[name]
    if rule.commands and not state.has_commands():
        return []
    found = (Operation(name, target, value) for target, value in rule.list_words(state))
    return [each for each in found if lead(state, each).is_sound()]


def choose(chance: random.Random, state: State) -> Operation:
    """Returns the next operation."""
    possible = {name: found for name in RULES if (found := list_operations(state, name))}
    names = list(possible)
    (name,) = chance.choices(names, [RULES[each].weight for each in names])
    return chance.choice(possible[name])


def choose_round(chance: random.Random, state: State) -> list[Operation]:
    """Returns the operations of one round."""
    chosen = []
    for _ in range(chance.randint(ROUND_MIN, ROUND_MAX)):
        operation = choose(chance, state)
        chosen.append(operation)
        state = lead(state, operation)
    return chosen


def plan_mending(state: State) -> list[Operation]:
    """Returns what gives every host, network and process back, in the order of a boot."""
    order = (*DATABASES, *CHASSIS_PROCESSES)

    def find_place(each: Words) -> tuple[bool, str, int]:
        host, name = each
        return host != "central", host, order.index(name) if name in order else len(order)

    return [
        *(Operation("continue", host, name) for host, name in sorted(state.stopped)),
        *(Operation("heal", host) for host in sorted(state.cut)),
        *(Operation("start-chassis", host) for host in sorted(state.dead)),
        *(Operation("start", host, name) for host, name in sorted(state.ended, key=find_place)),
    ]
