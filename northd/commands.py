"""The runtime commands of svc-northd, named as ovn-northd's (ovs-appctl -t svc-northd ...)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..lib.idl import Session
from ..lib.process_commands import report_memory
from ..lib.unixctl import register_command
from .engine.engine import format_graph
from .leader import northd_row
from .northd import Northd
from .ovn.outside import OutsideReplica
from .sync.forgotten import ACCEPT


def register_commands(northd: Northd) -> None:
    """Registers the runtime commands, named as ovn-northd's."""

    def offer(name: str, answer: Callable[[Northd], str]) -> None:
        def run(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
            connection.reply(answer(northd))

        register_command(name, run)

    offer("status", format_status)
    offer("is-ready", is_ready)
    offer("pause", pause)
    offer("resume", resume)
    offer("is-paused", lambda northd: "true" if northd.paused else "false")
    offer(ACCEPT, accept_content)
    offer("content/show", lambda northd: northd.writers.content.format_kept())
    offer("inc-engine/recompute", recompute)
    offer("inc-engine/show-stats", format_stats)
    offer("inc-engine/clear-stats", clear_stats)
    offer("inc-engine/show-graph", lambda northd: format_graph(northd.engine.nodes))
    register_command("inc-engine/check", _check, northd)
    sessions: dict[str, Session | OutsideReplica] = {**northd.sessions, "ovnsb": northd.outside}
    for name, session in sessions.items():
        register_command(f"{name}-connection-status", _tell_connection, session)
        resets = [session.reset_cluster_state]
        if session is northd.outside:
            resets.append(northd.ports.reset_cluster_state)
        register_command(f"{name}-cluster-state-reset", _reset_cluster_state, resets)
    report_memory(lambda: count_memory(northd))


def format_status(northd: Northd) -> str:
    """Returns what this svc-northd is, who was last seen active, and what is in our way."""
    state = "paused" if northd.paused else "active" if northd.active else "standby"
    row = northd.leadership.find_leader()
    # One that cannot read a database stands by for another reason than that somebody is active.
    obstacle = "" if northd.active or northd.paused else find_obstacle(northd)
    problems = dict.fromkeys(filter(None, (obstacle, northd.leadership.problem)))
    own = row is not None and row.incarnation == northd.leadership.incarnation
    told = northd_row.format_row(row, own, northd.active) if row is not None else []
    return "\n".join([f"Status: {state}", *told, *(f"Problem: {each}" for each in problems)])


def is_ready(northd: Northd) -> str:
    """Returns "true" if it has read its databases and leads or stands by, else why it does not."""
    obstacle = find_obstacle(northd)
    return f"false: {obstacle}" if obstacle else "true"


def find_obstacle(northd: Northd) -> str:
    """Returns in words why it neither leads nor stands by; "" if it does."""
    for session in northd.sessions.values():
        if session.trouble:
            return f"{session.database} cannot be read: {session.trouble}"
    if northd.leadership.obstacle:
        return northd.leadership.obstacle
    if northd.outside.awaited:
        return f"OVN_Southbound is waited for: {northd.outside.trouble or 'it is being read'}"
    if northd.active or northd.paused or northd.leadership.standing_by:
        return ""
    return "no svc-northd leads yet"


def pause(northd: Northd) -> str:
    """Makes it stand by."""
    northd.set_paused(True)
    return ""


def resume(northd: Northd) -> str:
    """Lets it take part again."""
    northd.set_paused(False)
    return ""


def recompute(northd: Northd) -> str:
    """Makes the next pass compute everything."""
    northd.recover()
    return ""


def accept_content(northd: Northd) -> str:
    """Takes the content of each database for what is meant, whatever it forgot."""
    northd.accept_content()
    return ""


def clear_stats(northd: Northd) -> str:
    """Begins anew with what inc-engine/show-stats tells."""
    northd.engine.clear_stats()
    return ""


def count_memory(northd: Northd) -> dict[str, int]:
    """Returns how many there are of what takes memory, by the names that memory/show has."""
    rows = {f"rows-{name}": session.count_rows() for name, session in northd.sessions.items()}
    return {**rows, "engine-values": northd.engine.count_values()}


def format_stats(northd: Northd) -> str:
    """Returns how often each node was computed, and what that took."""
    lines = [
        f"Node: {name}\n- compute: {each.compute}\n- changed: {each.changed}\n"
        f"- failed:  {each.failed}\n- total:   {each.total_ms:.1f} ms\n"
        f"- longest: {each.longest_ms:.1f} ms"
        for name, each in northd.engine.stats().items()
    ]
    return "\n".join(lines)


def _check(connection: Any, _argv: Sequence[str], northd: Northd) -> None:
    differences = northd.engine.find_differences()
    if differences:
        connection.reply_error("computed otherwise from nothing: " + "; ".join(differences))
    else:
        connection.reply("the same")


def _tell_connection(
    connection: Any, _argv: Sequence[str], session: Session | OutsideReplica
) -> None:
    connection.reply("connected" if session.connected else f"not connected\n{session.trouble}")


def _reset_cluster_state(
    connection: Any, _argv: Sequence[str], resets: Sequence[Callable[[], None]]
) -> None:
    for reset in resets:
        reset()
    connection.reply(None)
