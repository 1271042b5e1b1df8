"""A container that is built and runs where it is active, and waits for OVN to install its port.

It may wait for its chassis, or for ovn-northd, which is nobody's fault here.
ovn/progress.py finds out which, and says so in a word.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """Where a container waits for its port: a chassis, and which life of it runs the container."""

    chassis: str
    incarnation: str | None


@dataclass(frozen=True, slots=True)
class Word:
    """What is known of OVN in a wait.

    'late' says that OVN was asked and does not follow.  Otherwise it has
    compiled all that the wait is for, so that the rest is the chassis' own.
    """

    wait: Wait
    late: bool
