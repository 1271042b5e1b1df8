"""What a VPN may look like: problems as sentences, and defaults.

Pure.  svcctl asks before it writes a row and svc-northd asks of every row that
it finds, so that the same sentence stands at the command line and in
'status_message'.  A function named ..._problem returns None if all is well.
'connection_problem' skips what is wrong with the service itself: its own row says
that.  What two connections of a router may not have in common is in contention.py,
what cannot work of algorithms in proposals.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...lib.addresses import (
    Address,
    Subnet,
    canonical_address,
    find_inner_overlap,
    find_overlap,
    parse_address,
    parse_subnet,
    quote,
)
from ...lib.errors import ConfigError
from . import proposals
from .identity import identity_problem
from .rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService

DEFAULT_ADDRESS_MODE = "routed"
DEFAULT_IKE_LIFETIME_S = 14400
DEFAULT_IPSEC_LIFETIME_S = 3600
DEFAULT_DPD_ACTION = "restart"
DEFAULT_DPD_INTERVAL_S = 30
DEFAULT_DPD_TIMEOUT_S = 120

MIN_MTU = 68  # RFC 791
MAX_MTU = 65535

# A side of a child SA has at most so many traffic selectors (RFC 7296, 3.13).
MOST_SUBNETS = 255
# Each pair of subnets is four rules of the container's filter.
MOST_PAIRS = 1024
_LOCAL = "local subnet"
_LONGEST_KEY = 1024
_LONGEST_TEXT = 255
# What charon takes for an identity in each of its forms.
_IDENTITY = re.compile(r"[\x21-\x7e]+")


# -- one service -----------------------------------------------------------


def name_problem(name: str) -> str | None:
    """Returns what is wrong with the name of a service, a connection, a group..."""
    if not name:
        return "the name is empty"
    return _text_problem("name", name)


def service_problem(service: VPNService) -> str | None:
    """Returns what is wrong with a VPN service by itself, without its connections."""
    mode = service.address_mode or DEFAULT_ADDRESS_MODE
    if mode != "routed":
        return f'address mode "{mode}" is not yet served; only "routed" is'
    if not service.router:
        return "no router is given"
    try:
        external = _parse_external_addresses(service)
        subnets = _parse_subnets(_LOCAL, service.local_subnets)
    except ConfigError as error:
        return str(error)
    for address in external:
        inside = _find_subnet_of(address, subnets)
        if inside is not None:
            return f"external address {address} is inside local subnet {inside}"
    return name_problem(service.name)


def is_unfinished(service: VPNService) -> bool:
    """Returns whether nothing is wrong with a service but that it has no local subnet yet."""
    return not service.local_subnets and service_problem(service) == _tell_none(_LOCAL)


def policy_problem(policy: IKEPolicy | IPsecPolicy) -> str | None:
    """Returns what is wrong with a policy by itself."""
    return proposals.policy_problem(policy) or name_problem(policy.name)


def policies_problem(ike: IKEPolicy | None, ipsec: IPsecPolicy | None) -> str | None:
    """Returns what is wrong with the policies of a connection, each and together."""
    for policy in (ike, ipsec):
        problem = None if policy is None else policy_problem(policy)
        if policy is not None and problem is not None:
            return f"policy {policy.name}: {problem}"
    if ipsec is None or proposals.find_ike_version(ike) != 1:
        return None
    problem = proposals.esp_v1_problem(ipsec)
    return None if problem is None else f"policy {ipsec.name}: {problem}"


# -- one connection --------------------------------------------------------


def connection_problem(connection: IPsecConnection, service: VPNService) -> str | None:
    """Returns what is wrong with a connection of 'service', without its siblings."""
    try:
        peer = parse_served_address("peer address", connection.peer_address)
        subnets = _parse_subnets("peer subnet", connection.peer_subnets)
    except ConfigError as error:
        return str(error)
    return (
        name_problem(connection.name)
        or _traffic_problem(peer, subnets, service)
        or _authentication_problem(connection)
        or _timing_problem(connection)
    )


def _traffic_problem(peer: Address, subnets: Sequence[Subnet], service: VPNService) -> str | None:
    if str(peer) in {canonical_address(text) for text in service.external_ips}:
        return f"peer address {peer} is the VPN service's own external address"
    inside = _find_subnet_of(peer, subnets)
    if inside is not None:
        return f"peer address {peer} is inside peer subnet {inside}"
    locals_ = parse_subnets(service.local_subnets)
    pairs = len(subnets) * len(locals_)
    if max(len(subnets), len(locals_)) > MOST_SUBNETS or pairs > MOST_PAIRS:
        return (
            f"{len(locals_)} local and {len(subnets)} peer subnets are too many; {MOST_SUBNETS}"
            f" on a side and {MOST_PAIRS} pairs of them are the most"
        )
    found = find_overlap(subnets, locals_)
    if found is not None:
        return f"peer subnet {found[0]} overlaps local subnet {found[1]}"
    inside = _find_subnet_of(peer, locals_)
    if inside is not None:
        return f"peer address {peer} is inside local subnet {inside}"
    return None


def _authentication_problem(connection: IPsecConnection) -> str | None:
    if connection.auth == "certificate":
        return "authentication by certificate is not yet served; use a pre-shared key"
    if connection.psk is None:
        return "no pre-shared key is given"
    if not connection.psk:
        return "the pre-shared key is empty"
    if len(connection.psk.encode()) > _LONGEST_KEY:
        return f"the pre-shared key has more than {_LONGEST_KEY} bytes"
    for what, identity in (("peer id", connection.peer_id), ("local id", connection.local_id)):
        problem = None if identity is None else _identity_problem(what, identity)
        if problem is not None:
            return problem
    return None


def _identity_problem(what: str, identity: str) -> str | None:
    if not identity:
        return f"the {what} is empty"
    problem = _text_problem(what, identity)
    if problem is not None:
        return problem
    if _IDENTITY.fullmatch(identity) is None:
        return f"{what} {quote(identity)} has a space, or a character that is not ASCII"
    return identity_problem(what, identity)


def _timing_problem(connection: IPsecConnection) -> str | None:
    interval_s = connection.dpd_interval or DEFAULT_DPD_INTERVAL_S
    timeout_s = connection.dpd_timeout or DEFAULT_DPD_TIMEOUT_S
    if timeout_s <= interval_s:
        return f"dpd_timeout ({timeout_s} s) must be greater than dpd_interval ({interval_s} s)"
    mtu = connection.mtu
    if mtu is not None and not MIN_MTU <= mtu <= MAX_MTU:
        return f"mtu {mtu} is not in {MIN_MTU}..{MAX_MTU}"
    return None


# -- pieces ----------------------------------------------------------------


def parse_served_address(what: str, text: str) -> Address:
    """Returns the address in 'text'; raises ConfigError, also for IPv6 as not yet served."""
    if not text:
        raise ConfigError(f"no {what} is given")
    try:
        address = parse_address(text)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from None
    if address.version != 4:
        raise ConfigError(f"{what} {address}: IPv6 is not yet served")
    return address


def _parse_external_addresses(service: VPNService) -> list[Address]:
    if not service.external_ips:
        raise ConfigError("no external address is given")
    found = [parse_served_address("external address", text) for text in service.external_ips]
    if len(found) > 1:
        raise ConfigError(f'address mode "routed" takes one external address, not {len(found)}')
    return found


def _tell_none(what: str) -> str:
    return f"no {what} is given"


def _parse_subnets(what: str, texts: Sequence[str]) -> list[Subnet]:
    """Returns the subnets in 'texts', which must be some, IPv4 and apart from each other."""
    if not texts:
        raise ConfigError(_tell_none(what))
    found: list[Subnet] = []
    for text in texts:
        try:
            subnet = parse_subnet(text)
        except ConfigError as error:
            raise ConfigError(f"{what}: {error}") from None
        if subnet.version != 4:
            raise ConfigError(f"{what} {subnet}: IPv6 is not yet served")
        found.append(subnet)
    pair = find_inner_overlap(found)
    if pair is not None:
        raise ConfigError(f"{what} {pair[0]} overlaps {what} {pair[1]}")
    return found


def parse_subnets(texts: Iterable[str]) -> list[Subnet]:
    """Returns the subnets among 'texts', leaving out what cannot be read."""
    found: list[Subnet] = []
    for text in texts:
        try:
            found.append(parse_subnet(text))
        except ConfigError:
            continue
    return found


def _find_subnet_of(address: Address, subnets: Iterable[Subnet]) -> Subnet | None:
    return next((each for each in subnets if address in each), None)


def _text_problem(what: str, text: str) -> str | None:
    if len(text) > _LONGEST_TEXT:
        return f"the {what} has {len(text)} characters; {_LONGEST_TEXT} are the most"
    if not text.isprintable():
        return f"{what} {quote(text)} has a character that cannot be printed"
    if text != text.strip():
        return f"{what} {quote(text)} starts or ends with a space"
    return None
