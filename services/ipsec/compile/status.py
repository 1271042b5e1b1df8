"""Nodes 'vpn_status' and 'held': what is said of services and connections, and whose drops stay.

Every status has its reason beside it, in words.  What goes on as it was has the
status that is seen, and the sentence that it is so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from uuid import UUID

from ....lib.container import KEPT
from ....lib.option_keys import find_unknown
from ....lib.router import address_warning
from ...api.compile import (
    ADDRESS_HOLDERS,
    ADDRESS_PROBLEM,
    CONTAINERS_BY_SERVED,
    NOT_COMPILED,
    REDIRECT_PROBLEM,
    ROUTER,
    SEEN,
    UNCOMPILED,
    RowStatus,
    Seen,
)
from ...api.item import Item
from ...api.node import AnyNode, Datum, Node, Read
from ...api.outside import GATEWAY_DATA, find_gateway_problem
from ...api.routers import FOREIGN_DATA
from .. import rules
from ..awaited import is_passing
from ..router_rules import make_container_name
from ..rows import IPsecConnection, VPNService
from .balanced import BALANCED
from .checked import CHECKED
from .gateway import COMPILED, GATEWAY, Gateway
from .home import CONTENDERS, HOME, SERVICE_PROBLEM, find_contender, find_owner
from .tables import CONNECTION, SERVICE, SERVICES_BY_CONNECTION

STATUSES: Datum[UUID, tuple[RowStatus, ...]] = Datum("vpn_status")
HELD: Datum[UUID, bool] = Datum("held")


@dataclass(frozen=True, slots=True)
class _State:
    """The status of one connection; 'redirect' is what takes traffic from its tunnel.

    'passing' is as RowStatus has it.
    """

    row: IPsecConnection
    status: str
    message: str
    redirect: str | None = None
    passing: bool = False


@dataclass(frozen=True, slots=True)
class _Situation:
    """What is known of a service beside its row.

    'redirects' are sentences on what takes traffic from the tunnels, by connection;
    'uncompiled' are connections whose router policies OVN is late with; 'left' is a
    sentence on addresses of load balancers that are left out, 'blocked' on a gateway
    port through which nothing gets, 'contender' on who else is to have its address,
    'remote' on an address that others may not find the way to.
    """

    gateway: Gateway | None
    problem: str | None
    fault: str | None
    seen: Seen | None
    redirects: Mapping[str, str] = field(default_factory=dict)
    left: str | None = None
    uncompiled: AbstractSet[str] = frozenset()
    blocked: str | None = None
    contender: str | None = None
    remote: str | None = None

    def find_problem(self, connection: UUID) -> str | None:
        """Returns what is wrong with a connection, or else with its service."""
        if self.fault is not None:
            return self.fault
        problem = self.gateway.problems.get(connection) if self.gateway is not None else None
        if problem is None and self.problem is not None:
            return f"its VPN service has a problem: {self.problem}"
        return problem

    def find_redirect(self, connection: UUID) -> str | None:
        """Returns what takes traffic from a tunnel, or may take it."""
        late = NOT_COMPILED if str(connection) in self.uncompiled else None
        return _join(late, self.redirects.get(str(connection))) or None

    def is_unfinished(self, service: VPNService, connection: UUID | None = None) -> bool:
        """Returns whether nothing is wrong but that a service has no local subnet yet."""
        problems = self.gateway.problems if self.gateway is not None else {}
        wrong = self.fault is not None or connection in problems
        return not wrong and rules.is_unfinished(service)

    def find_cause(self, service: UUID) -> str | None:
        """Returns what of OVN keeps the tunnels of a service from being up, in a sentence.

        A peer then says what is no fault of its own.
        """
        return _join(self.blocked, self.find_detached(service), self.remote) or None

    def find_detached(self, service: UUID) -> str | None:
        """Returns which local subnet of a service is not behind its router."""
        return self.gateway.detached.get(service) if self.gateway is not None else None

    def find_contested(self, connection: UUID) -> str | None:
        """Returns which other connection is refused since this one is there."""
        return self.gateway.contested.get(connection) if self.gateway is not None else None

    def runs(self, connection: UUID) -> bool:
        """Whether a connection goes on as it was, or as when it could last be computed."""
        if self.fault is not None:
            return self.seen is not None and str(connection) in self.seen.items
        return self.gateway is not None and str(connection) in self.gateway.kept


def run(read: Read, uuid: UUID) -> tuple[RowStatus, ...] | None:
    """Returns the status of a service and of the connections that it speaks for."""
    row = read(SERVICE, uuid)
    if row is None:
        return None
    situation = _look(read, uuid)
    states: list[_State] = []
    told: list[RowStatus] = []
    for connection in row.connections:
        member = read(CONNECTION, connection)
        if member is None:
            continue
        state = _find_state(row, member, situation)
        states.append(state)
        owner = find_owner(read, connection)
        if owner is not None and owner.uuid == uuid:
            name = f"{row.name}/{member.name}"
            message = _join(state.message, find_unknown(member.options))
            columns = {"status": state.status, "status_message": message}
            told.append(RowStatus(IPsecConnection, connection, columns, name, state.passing))
    status, message = _find_service_status(row, situation, states)
    passing = _is_service_passing(row, situation, status, states)
    group = situation.seen.group if situation.seen is not None else None
    if situation.seen is not None and row.group and row.group != group:
        message += "; its group is passed over, another service's of this router counts"
    message = _join(message, find_unknown(row.options))
    columns = {"status": status, "status_message": message}
    return (*told, RowStatus(VPNService, uuid, columns, row.name, passing))


def find_held(read: Read, uuid: UUID) -> bool | None:
    """Returns whether the drops of a connection stay, since what they should be is not known.

    A mistake in a row, or a router that was renamed, must not open a way around
    the tunnel that was there: the drops go with the row or the router.
    """
    if read.find_problem(CHECKED, uuid) is not None:
        return True
    checked = read(CHECKED, uuid)
    if checked is None:
        return None
    services = sorted(read(SERVICES_BY_CONNECTION, uuid) or ())
    held = checked.problem is not None or any(_is_held(read, each, uuid) for each in services)
    return held or None


def _is_held(read: Read, service: UUID, connection: UUID) -> bool:
    """Returns whether a service cannot serve a connection as its rows say."""
    if _find_fault(read, service) is not None:
        return True
    home = read(HOME, service)
    router = home.router if home is not None else None
    if router is None or read(SERVICE_PROBLEM, service) is not None:
        return True
    if read.find_problem(GATEWAY, router) is not None:
        return True
    gateway = read(GATEWAY, router)
    return gateway is not None and connection in gateway.problems


def _look(read: Read, uuid: UUID) -> _Situation:
    fault = _find_fault(read, uuid)
    if fault is not None:
        return _Situation(None, None, fault, None)
    home, problem = read(HOME, uuid), read(SERVICE_PROBLEM, uuid)
    router = home.router if home is not None else None
    if router is None:
        return _Situation(None, problem, None, None)
    name = make_container_name(router)
    seen, redirects = read(SEEN, name), read(REDIRECT_PROBLEM, name) or {}
    uncompiled = read(UNCOMPILED, name) or frozenset()
    fault = read.find_problem(COMPILED, router) or read(ADDRESS_PROBLEM, name)
    if fault is not None:
        return _Situation(None, problem, fault, seen, redirects, uncompiled=uncompiled)
    balanced = read(BALANCED, router)
    left = balanced.problem if balanced is not None else None
    gateway, row, outside = read(GATEWAY, router), read(SERVICE, uuid), read(ROUTER, router)
    situation = _Situation(gateway, problem, None, seen, redirects, left, uncompiled)
    if row is None or outside is None:
        return situation
    warnings = (address_warning(outside, each) for each in row.external_ips if not problem)
    return replace(
        situation,
        blocked=find_gateway_problem(read, outside) if _is_any_down(seen) else None,
        contender=find_contender(read, row, router),
        remote=next((each for each in warnings if each is not None), None),
    )


def _is_any_down(seen: Seen | None) -> bool:
    items = seen.items.values() if seen is not None else ()
    return any(each.state != "up" for tunnels in items for each in tunnels)


def _find_fault(read: Read, service: UUID) -> str | None:
    """Returns why it could not be computed where a service is, and whether it is well."""
    return read.find_problem(HOME, service) or read.find_problem(SERVICE_PROBLEM, service)


def _find_state(service: VPNService, row: IPsecConnection, situation: _Situation) -> _State:
    problem = situation.find_problem(row.uuid)
    redirect = situation.find_redirect(row.uuid)
    if problem is not None and not situation.runs(row.uuid):
        unfinished = situation.is_unfinished(service, row.uuid)
        status = "down" if unfinished else "error"
        return _State(row, status, _join(problem, redirect), redirect, unfinished)
    if row.enabled is False or service.enabled is False:
        who = "the connection" if row.enabled is False else "its VPN service"
        message = f"{who} is disabled"
        if str(row.uuid) not in situation.uncompiled:
            message += "; traffic to its peer subnets is dropped"
        return _State(row, "disabled", _join(message, redirect), redirect, passing=True)
    status, message = _find_tunnel_status(row, situation.seen)
    late = str(row.uuid) in situation.uncompiled
    if late:
        status = "down"
    elif redirect is not None and status == "up":
        status = "partial"  # the tunnel is up, and what is for it may go elsewhere
    kept = f"{KEPT}: {problem}" if problem is not None else None
    cause = situation.find_cause(service.uuid) if status != "up" else None
    contested = situation.find_contested(row.uuid)
    causes = (kept, cause, contested, None if late else redirect)
    passing = not any(causes) and (late or _is_passing(row, situation.seen))
    return _State(row, status, _join(kept, redirect, cause, message, contested), redirect, passing)


def _join(*parts: str | None) -> str:
    return "; ".join(part for part in parts if part)


def _find_tunnel_status(row: IPsecConnection, seen: Seen | None) -> tuple[str, str]:
    if seen is None:
        return "down", "no container runs yet"
    if seen.status_code != "running":
        return "down", f"container {seen.status_code}: {seen.status_message}"
    tunnels = seen.items.get(str(row.uuid), ())
    if not tunnels:
        return "down", f"chassis {seen.chassis} has not reported on the tunnel yet"
    worst = next((each for each in tunnels if each.state not in ("up", "partial")), None)
    if worst is not None:
        return "down", worst.message or f"{worst.state}: no reason is known yet"
    worst = next((each for each in tunnels if each.state == "partial"), tunnels[0])
    return worst.state, _join(worst.message, _format_algorithms(worst))


def _is_passing(row: IPsecConnection, seen: Seen | None) -> bool:
    """Returns whether _find_tunnel_status() says only what is waited for."""
    if seen is None or seen.status_code != "running":
        return seen is None or seen.status_code == "starting"
    tunnels = seen.items.get(str(row.uuid), ())
    worst = next((each for each in tunnels if each.state not in ("up", "partial")), None)
    return is_passing(worst.message) if worst is not None else not tunnels


def _format_algorithms(tunnel: Item) -> str:
    found = (tunnel.detail.get(key, "") for key in ("ike_algorithms", "esp_algorithms"))
    return _join(*found)


def _find_service_status(
    row: VPNService, situation: _Situation, states: Sequence[_State]
) -> tuple[str, str]:
    problem = situation.fault or situation.problem
    kept = any(situation.runs(each.row.uuid) for each in states)
    if problem is not None and not kept:
        return "down" if situation.is_unfinished(row) else "error", problem
    if row.enabled is False:
        return "disabled", "the VPN service is disabled"
    status, message = _count(each for each in states if each.status != "disabled")
    kept_problem = f"{KEPT}: {problem}" if problem is not None else None
    find_cause = situation.find_detached if status == "up" else situation.find_cause
    cause = find_cause(row.uuid)
    if cause is not None and cause in message:
        cause = None
    return status, _join(kept_problem, message, cause, situation.contender, situation.left)


def _is_service_passing(
    row: VPNService, situation: _Situation, status: str, states: Sequence[_State]
) -> bool:
    """Returns whether a service is as it is for nothing but what its connections wait for."""
    if situation.is_unfinished(row) or status == "disabled":
        return True
    if status != "down":
        return False  # how many tunnels are up is another event
    if situation.fault or situation.problem or situation.contender or situation.left:
        return False
    wanted = [each for each in states if each.status != "disabled"]
    waiting = [each for each in wanted if each.status != "up"]
    first = min(waiting, key=lambda each: each.row.name, default=None)
    return first.passing if first is not None else not wanted


def _count(states: Iterable[_State]) -> tuple[str, str]:
    wanted = list(states)
    if not wanted:
        return "down", "no enabled connection"
    up = [each for each in wanted if each.status == "up"]
    message = f"{len(up)} of {len(wanted)} tunnels up"
    wanted.sort(key=lambda each: each.row.name)
    waiting = [each for each in wanted if each.status != "up"]
    robbed = [(each.row.name, each.redirect) for each in wanted if each.redirect is not None]
    if waiting:
        message += f"; {waiting[0].row.name}: {waiting[0].message}"
    elif robbed:
        message += f"; {robbed[0][0]}: {robbed[0][1]}"
    part = up or any(each.status == "partial" for each in wanted)
    return "up" if not waiting else "partial" if part else "down", message


_OF_SERVICES = (HOME, SERVICE_PROBLEM, GATEWAY, SERVICES_BY_CONNECTION)

NODES: tuple[AnyNode, ...] = (
    Node(
        STATUSES,
        run,
        (SERVICE,),
        (
            CONNECTION,
            COMPILED,
            ADDRESS_PROBLEM,
            REDIRECT_PROBLEM,
            UNCOMPILED,
            SEEN,
            BALANCED,
            CONTAINERS_BY_SERVED,
            ADDRESS_HOLDERS,
            CONTENDERS,
            *dict.fromkeys((*FOREIGN_DATA, *GATEWAY_DATA)),
            *_OF_SERVICES,
        ),
    ),
    Node(HELD, find_held, (CONNECTION,), (CHECKED, *_OF_SERVICES)),
)
