"""Nodes 'nb_container', 'nb_wish', 'nb_chassis': what svc-northd writes to the northbound."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ...lib import nb
from ...lib.delta import Desired, Keys
from ...lib.placement import DELETED, NOT_DELETED_YET
from ...lib.sequence import has_reached
from ...services.api.compile import OPERATOR_CONTAINER, Transit
from ...services.api.node import AnyNode, Datum, Node, Read
from ..attach.port import Port
from ..engine.ledger import Owned
from ..ovn.rows import make_mark
from .en_container import CONTAINER, Container
from .en_link import LINK
from .en_placement import PLACEMENT, REQUEST
from .en_status import STATUS, Status
from .tables import (
    CHASSIS_BY_NAME,
    CHASSIS_WORD,
    CHASSIS_WORD_BY_NAME,
    CONTAINER_WISH,
    REMOVAL_PROBLEM,
    VANISHED,
    VERDICT,
    WISH_BY_NAME,
    find_rows,
)

NB_CONTAINER: Datum[str, Owned] = Datum("nb_container")
NB_WISH: Datum[str, Owned] = Datum("nb_wish")
NB_CHASSIS: Datum[str, Owned] = Datum("nb_chassis")

_STATUS = tuple(field.name for field in fields(Status))


def make_container(read: Read, name: str) -> Owned | None:
    """Returns the Service_Container row: ours as a whole, of the operator's what we write."""
    status = read(STATUS, name)
    if status is None:
        return None
    container = read(CONTAINER, name)
    columns: dict[str, Any] = {column: getattr(status, column) for column in _STATUS}
    if container is None or container.spec is None:
        # Of one that goes on as it was the rest of its row does too.
        return Owned(updates=(Desired(nb.ServiceContainer.TABLE, name, columns),))
    columns["ports"] = tuple(
        each.logical_port for each in read(LINK, name) or () if isinstance(each, Port)
    )
    request = read(REQUEST, name)
    columns["standby"] = request.standby if request is not None else None
    columns["serves"] = tuple(str(uuid) for uuid in container.spec.serves)
    if read(OPERATOR_CONTAINER, name) is not None:
        return Owned(updates=(Desired(nb.ServiceContainer.TABLE, name, columns),))
    columns |= _identify(container)
    if container.spec.group is not None and read(VANISHED, container.spec.group):
        columns["group"] = None
    return Owned((Desired(nb.ServiceContainer.TABLE, name, columns),))


def _identify(container: Container) -> dict[str, Any]:
    assert container.spec is not None
    routers = [
        each.attachment.router
        for each in container.spec.ports
        if isinstance(each.attachment, Transit)
    ]
    return {
        "name": container.name,
        "service_type": container.service_type,
        "group": container.spec.group,
        "configuration": {"router": str(routers[0])} if routers else {},
        "options": {},
        "external_ids": Keys(make_mark(container.name)),
    }


def make_wish(read: Read, name: str) -> Owned | None:
    """Returns how a request to migrate ended that is over."""
    placement = read(PLACEMENT, name)
    wishes = find_rows(read, CONTAINER_WISH, read(WISH_BY_NAME, name))
    if placement is None or placement.migration is None or not wishes:
        return None
    columns = {"migrated_cfg": wishes[0].migrate_cfg, "migrate_status": placement.migration}
    return Owned(updates=(Desired(nb.ContainerWish.TABLE, name, columns),))


def make_chassis(read: Read, name: str) -> Owned | None:
    """Returns how a request to delete a chassis ended, or what keeps it from its end."""
    words = find_rows(read, CHASSIS_WORD, read(CHASSIS_WORD_BY_NAME, name))
    if not words or not words[0].delete_cfg:
        return None
    word, verdict = words[0], read(VERDICT, name)
    number, status = word.deleted_cfg, word.delete_status
    if not has_reached(word.deleted_cfg, word.delete_cfg):
        if verdict is not None and verdict.alive:
            number, status = word.delete_cfg, "not deleted: it is alive"
        elif verdict is None and not read(CHASSIS_BY_NAME, name):
            number, status = word.delete_cfg, DELETED
        else:
            status = _tell_unfinished(status, read(REMOVAL_PROBLEM, name))
    columns = {"deleted_cfg": number, "delete_status": status}
    return Owned(updates=(Desired(nb.Chassis.TABLE, name, columns),))


def _tell_unfinished(status: str, problem: str | None) -> str:
    """Returns 'status' with what keeps a chassis from being deleted, without what did before."""
    if problem is not None:
        return f"{NOT_DELETED_YET}: {problem}"
    return "" if status.startswith(NOT_DELETED_YET) else status


NODES: tuple[AnyNode, ...] = (
    Node(
        NB_CONTAINER,
        make_container,
        (STATUS,),
        (CONTAINER, LINK, OPERATOR_CONTAINER, VANISHED, REQUEST),
    ),
    Node(NB_WISH, make_wish, (WISH_BY_NAME,), (PLACEMENT, CONTAINER_WISH)),
    Node(
        NB_CHASSIS,
        make_chassis,
        (CHASSIS_WORD_BY_NAME,),
        (CHASSIS_WORD, CHASSIS_BY_NAME, VERDICT, REMOVAL_PROBLEM),
    ),
)
