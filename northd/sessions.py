"""The sessions of svc-northd with the databases that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lib import nb as nb_rows
from ..lib import sb as sb_rows
from ..lib import schema
from ..lib.idl import Session
from .ovn import rows as ovn


def open_sessions(
    nb_remote: str, sb_remote: str, ovn_remote: str, tables: Mapping[str, Mapping[Any, Any]]
) -> dict[str, Session]:
    """Returns the sessions by database, "nb", "sb" and "ovn".

    Their writers have pauses of their own after a refusal.
    """
    # A lock is known to one server only, so in a cluster it is the leader's that counts.
    common: dict[str, Any] = {"leader_only": True, "refused_backoff_ms": 0}
    return {
        "nb": Session(
            nb_remote,
            schema.NORTHBOUND,
            (nb_rows.SVCGlobal, nb_rows.Event, *tables["nb"]),
            schema=schema.load(schema.NORTHBOUND),
            **common,
        ),
        "sb": Session(
            sb_remote,
            schema.SOUTHBOUND,
            (
                sb_rows.SBGlobal,
                sb_rows.ChassisPrivate,
                sb_rows.ChassisWeight,
                sb_rows.RedirectFlow,
                sb_rows.Northd,
                sb_rows.RBACRole,
                sb_rows.RBACPermission,
                *tables["sb"],
            ),
            schema=schema.load(schema.SOUTHBOUND),
            # Every chassis reaches this server, so that its lock decides nothing (leader/claim.py).
            asserts_lock=False,
            **common,
        ),
        "ovn": Session(
            ovn_remote, ovn.DATABASE, ovn.ROW_CLASSES, conditions=ovn.CONDITIONS, **common
        ),
    }
