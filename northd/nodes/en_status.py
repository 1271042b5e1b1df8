"""Nodes 'container_status' and 'seen': how each container is, in words, for the northbound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...lib import nb, sb
from ...lib.container import KEPT, name_problem
from ...lib.option_keys import find_unknown
from ...services.api.compile import (
    NOT_COMPILED,
    OPERATOR_CONTAINER,
    REDIRECT_PROBLEM,
    SEEN,
    UNCOMPILED,
    Compiled,
    Seen,
)
from ...services.api.item import Item
from ...services.api.node import AnyNode, Datum, Node, Read
from ..scheduler.filters import find_loss
from ..scheduler.model import ACTIVE
from .doubt import find_type_problem
from .en_address_wait import ADDRESS_WAIT
from .en_chassis import CANDIDATE, PUBLIC_KEY
from .en_container import CONTAINER, Container, find_group
from .en_group import GROUP
from .en_health import OVN_WAIT
from .en_link import LINK, find_problem
from .en_placement import PLACEMENT, Placement
from .en_sealed import SEALED
from .tables import (
    BINDINGS_BY_CONTAINER,
    CONTAINER_BINDING,
    CONTAINER_ITEM,
    ITEMS_BY_CONTAINER,
    ONLY,
    OVN_PROBLEM,
    PLACEMENTS_BY_CONTAINER,
    REFUSED,
    SERVICE_CONTAINER,
    SERVICE_CONTAINER_BY_NAME,
    find_rows,
)
from .tables import PLACEMENT as PLACEMENT_ROW
from .type_data import TypeData

ERROR = "error"
STARTING = "starting"
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Status:
    """The status columns of a Service_Container."""

    status_code: str
    status_message: str
    chassis: str | None = None
    namespace_name: str | None = None
    interface_name: str | None = None
    since: int | None = None


# Of each container that should run, and of each row of an operator that comes to none.
STATUS: Datum[str, Status] = Datum("container_status")


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the nodes, and those by which the types tell of their own rows."""
    units = tuple(datum for each in types for datum in (each.units, each.granted))
    told = tuple(node for each in types for node in each.half.status_nodes)
    return (
        Node(
            STATUS,
            _make_run(types),
            (CONTAINER, OPERATOR_CONTAINER),
            (
                LINK,
                PLACEMENT,
                ADDRESS_WAIT,
                OVN_WAIT,
                OVN_PROBLEM,
                CANDIDATE,
                PUBLIC_KEY,
                SEALED,
                REFUSED,
                REDIRECT_PROBLEM,
                UNCOMPILED,
                BINDINGS_BY_CONTAINER,
                CONTAINER_BINDING,
                PLACEMENTS_BY_CONTAINER,
                PLACEMENT_ROW,
                GROUP,
                *units,
            ),
        ),
        Node(
            SEEN,
            find_seen,
            (CONTAINER,),
            (
                STATUS,
                ITEMS_BY_CONTAINER,
                CONTAINER_ITEM,
                SERVICE_CONTAINER,
                SERVICE_CONTAINER_BY_NAME,
            ),
        ),
        *told,
    )


def find_seen(read: Read, name: str) -> Seen | None:
    """Returns how a container is, and what it reported where it serves."""
    container, status = read(CONTAINER, name), read(STATUS, name)
    if container is None or status is None:
        return None
    items: dict[str, list[Item]] = {}
    for row in find_rows(read, CONTAINER_ITEM, read(ITEMS_BY_CONTAINER, name)):
        if row.chassis == status.chassis:
            item = Item(
                kind=row.kind,
                name=row.name,
                state=row.state,
                subject=row.subject,
                message=row.message,
                since=row.since,
                detail=row.detail,
            )
            items.setdefault(row.subject, []).append(item)
    return Seen(
        status.status_code,
        status.status_message,
        status.chassis,
        find_group(read, container),
        {subject: tuple(sorted(each, key=_rank)) for subject, each in items.items()},
    )


def _rank(item: Item) -> tuple[str, str]:
    return item.kind, item.name


# -- containers that should run ----------------------------------------------------


def _make_run(types: Sequence[TypeData]) -> Callable[[Read, str], Status | None]:
    by_name = {each.name: each for each in types}

    def run(read: Read, name: str) -> Status | None:
        container = read(CONTAINER, name)
        if container is not None:
            return _tell_problem(read, name, by_name, _find_status(read, container))
        row = read(OPERATOR_CONTAINER, name)
        return None if row is None else Status(ERROR, _refuse(read, row, by_name))

    return run


def _find_status(read: Read, container: Container) -> Status:
    name = container.name
    problem = read.find_problem(PLACEMENT, name) or read.find_problem(LINK, name)
    if problem is not None:
        return _keep_words(_find_bound(read, name), problem)
    placement = read(PLACEMENT, name) or Placement(None)
    refused = read(REFUSED, name)
    unattached = find_problem(read(LINK, name) or ())
    if unattached is not None:
        return Status(ERROR, unattached)
    if refused is not None:
        return Status(ERROR, f"OVN_Northbound refused its rows: {refused}")
    bindings = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, name))
    here = next((row for row in bindings if row.chassis == placement.active), None)
    status = _tell_ovn(read, name, _find_reported(placement, here))
    placed = find_rows(read, PLACEMENT_ROW, read(PLACEMENTS_BY_CONTAINER, name))
    if status.since is not None and placed:
        # A standby may be ready for long before it serves.
        last = max(placed, key=lambda row: int(row.number))
        status = replace(status, since=max(status.since, last.since))
    waits = read(ADDRESS_WAIT, name)
    if waits is not None and status.status_code != RUNNING:
        return replace(status, status_message=waits)
    problem = container.problem or waits or _find_unsealed(read, name, placement)
    status = _add_remark(read, container, _keep_words(status, problem))
    return _add_redirect_problem(read, name, status)


def _add_remark(read: Read, container: Container, status: Status) -> Status:
    """Returns 'status' with what of the options does not count, for one that runs."""
    uuid = container.spec.group if container.spec is not None else None
    group = read(GROUP, uuid) if uuid is not None else None
    row = read(OPERATOR_CONTAINER, container.name)
    remarks = [
        group.remark if group is not None else None,
        find_unknown(row.options) if row is not None else None,
    ]
    said = [each for each in (status.status_message, *remarks) if each]
    if status.status_code != RUNNING:
        return status
    return replace(status, status_message="; ".join(said))


def _add_redirect_problem(read: Read, name: str, status: Status) -> Status:
    """Returns 'status' with what takes away traffic of a container that runs."""
    problems = list((read(REDIRECT_PROBLEM, name) or {}).values())
    if read(UNCOMPILED, name):
        problems.insert(0, NOT_COMPILED)
    if not problems or status.status_code != RUNNING:
        return status
    # Those of its subjects stand on their rows, if they have any.
    message = f"{problems[0]}; {status.status_message}"
    return replace(status, status_message=message)


def _tell_ovn(read: Read, name: str, status: Status) -> Status:
    """Returns 'status' of one that waits for OVN, while OVN does not follow."""
    problem = read(OVN_PROBLEM, ONLY) if read(OVN_WAIT, name) is not None else None
    if problem is None or status.status_code != RUNNING:
        return status
    said = status.status_message
    message = f"{said}; {problem}" if said else problem
    return replace(status, status_code=STARTING, status_message=message)


def _find_bound(read: Read, name: str) -> Status:
    """Returns how a container is where it is bound, when where it should be is not known."""
    bindings = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, name))
    here = next((row for row in bindings if row.role == ACTIVE), None)
    if here is None:
        return _find_reported(Placement(None), None)
    candidate = read(CANDIDATE, here.chassis)
    loss = find_loss(candidate) if candidate is not None else "the chassis is not registered"
    reason = f"chassis {here.chassis}: {loss}" if loss is not None else None
    return _find_reported(Placement(here.chassis, reason=reason, lost=loss is not None), here)


def _find_unsealed(read: Read, name: str, placement: Placement) -> str | None:
    """Returns why a container goes on where it serves without what it is to have now."""
    where = placement.active
    if where is None or read(SEALED, (name, where)) is not None:
        return None
    if read(PUBLIC_KEY, where) is not None:
        return None
    return f"chassis {where} has no usable public key, so that no secret can be sealed for it"


def _find_reported(placement: Placement, binding: sb.ContainerBinding | None) -> Status:
    where, reason = placement.active, placement.reason
    if where is None:
        return Status(ERROR, reason or "waiting for a chassis")
    status = Status(STARTING, f"chassis {where} was asked to start it", where)
    if binding is not None and binding.status_code is not None:
        status = Status(
            binding.status_code,
            binding.status_message,
            where,
            binding.namespace_name,
            binding.interface_name,
            binding.since,
        )
    if placement.lost:
        return replace(status, status_code=ERROR, status_message=reason or "")
    if reason is None:
        return status
    said = status.status_message
    told = f"{said}; {reason}" if said and said not in reason else reason
    return replace(status, status_message=told)


def _keep_words(status: Status, problem: str | None) -> Status:
    """Returns 'status' with what is wrong with the rows of a container that goes on without it."""
    if problem is None:
        return status
    sentence = f"{KEPT}: {problem}"
    if status.status_code != RUNNING:
        sentence = f"{status.status_message}; {sentence}"
    return replace(status, status_message=sentence)


# -- rows that come to no container ------------------------------------------------


def _tell_problem(read: Read, name: str, types: Mapping[str, TypeData], status: Status) -> Status:
    """Returns 'status' with the problem that the type has with the operator's own row."""
    row = read(OPERATOR_CONTAINER, name)
    compiled = _find_compiled(read, row, types) if row is not None else None
    if row is None or compiled is None or row.uuid not in compiled.problems:
        return status
    return _keep_words(status, compiled.problems[row.uuid])


def _find_compiled(
    read: Read, row: nb.ServiceContainer, types: Mapping[str, TypeData]
) -> Compiled | None:
    each = types.get(row.service_type)
    unit = each.find_unit(read, row.name) if each is not None else None
    if each is None or unit is None or read.find_problem(each.granted, unit) is not None:
        return None
    return read(each.granted, unit)


def _refuse(read: Read, row: nb.ServiceContainer, types: Mapping[str, TypeData]) -> str:
    """Returns why a row of the operator comes to no container."""
    problem = find_type_problem(row.service_type, types.values())
    if problem is not None:
        return problem
    each = types[row.service_type]
    problem = name_problem(row.name)
    unit = each.find_unit(read, row.name)
    if problem is None and unit is not None:
        problem = read.find_problem(each.granted, unit)
    compiled = _find_compiled(read, row, types)
    if problem is None and compiled is not None:
        problem = compiled.problems.get(row.uuid)
    return problem or "its service type makes no container of it"
