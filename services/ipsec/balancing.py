"""Load balancers beside a VPN: which virtual addresses its container translates, to which members.

Pure; for svc-northd, which chooses them, and for the chassis, which makes rules of
them.  Answers come back to the container only from a local subnet that is rerouted
for the same peer, so that a member outside of it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...lib.addresses import Address, Subnet
from ...lib.balancer import VirtualAddress

# Virtual address and member, of all of a container: each virtual address is a rule of nft.
MOST_PAIRS = 1000


def is_inside(address: Address, subnets: Iterable[Subnet]) -> bool:
    """Returns whether an address is in one of some subnets."""
    return any(address in each for each in subnets)


def narrow(virtual: VirtualAddress, subnets: Iterable[Subnet]) -> VirtualAddress | None:
    """Returns what of a virtual address is there for 'subnets'; None if it is in none of them.

    One that is left without a member is there, and refused.
    """
    known = tuple(subnets)
    if not is_inside(virtual.at.address, known):
        return None
    members = (each for each in virtual.members if is_inside(each.address, known))
    return replace(virtual, members=tuple(members))
