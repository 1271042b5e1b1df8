"""Matches in OVN's expression language (ovn-sb(5), Logical_Flow).

inport can be tested for equality only; a policy with another test of it is
silently missing from the flows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

# Of the protocols with ports, the name that their fields have.
_WITH_PORTS = {6: "tcp", 17: "udp", 132: "sctp"}


def format_match(
    ip_version: int,
    sources: Sequence[str],
    destinations: Sequence[str],
    through: tuple[Sequence[str], Sequence[str]] = ((), ()),
    protocol: int | None = None,
    ports: Sequence[int] = (),
) -> str:
    """Returns what packets are meant: all conditions hold; an empty one is none.

    'through' are the ports by which they came in, and by which they are to go.
    A protocol is tested by its number, without its ports, so that fragments are
    not lost where no port is asked for.
    """
    terms = []
    for field, names in zip(("inport", "outport"), through, strict=True):
        if names:
            terms.append(f"{field} == {_format_set([json.dumps(name) for name in names])}")
    if sources:
        terms.append(f"ip{ip_version}.src == {_format_set(sources)}")
    if destinations:
        terms.append(f"ip{ip_version}.dst == {_format_set(destinations)}")
    if not (sources or destinations):
        terms.append(f"ip{ip_version}")
    if protocol is not None:
        terms.append(f"ip.proto == {protocol}")
    if ports and protocol in _WITH_PORTS:
        terms.append(f"{_WITH_PORTS[protocol]}.dst == {_format_set([str(p) for p in ports])}")
    return " && ".join(terms)


def _format_set(members: Sequence[str]) -> str:
    """Returns a constant or a constant set."""
    return members[0] if len(members) == 1 else "{" + ", ".join(members) + "}"
