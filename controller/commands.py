"""The runtime commands of svc-controller (ovs-appctl -t svc-controller ...)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..lib.loop import monotonic_ms
from ..lib.process_commands import report_memory
from ..lib.unixctl import register_command
from . import overview, status
from .controller import Controller


def register(program: Controller) -> None:
    """Registers the commands; 'exit' is lib/loop.py's."""

    def offer(name: str, answer: Callable[[Controller], str]) -> None:
        def run(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
            connection.reply(answer(program))

        register_command(name, run)

    offer("reconcile", reconcile)
    offer("status", overview.format_status)
    offer("is-ready", is_ready)
    offer("connection-status", connection_status)
    offer("sb-cluster-state-reset", reset_cluster_state)
    offer("container/list", list_containers)
    offer("cleanup-status", cleanup_status)
    offer("isolation-status", isolation_status)
    report_memory(lambda: count_memory(program))


def reconcile(program: Controller) -> str:
    """Makes the next pass look at everything."""
    program.check_all()
    return ""


def connection_status(program: Controller) -> str:
    """Returns whether the southbound is connected, as ovn-controller says it, and why it is not.

    What keeps a chassis that is connected from being registered stands in a second line, or
    that its certificate is of another name; in a third one that it goes on with a former remote.
    """
    session = program.sb
    connected = session is not None and session.synced and session.connected
    lines = ["connected" if connected else "not connected"]
    lines.append(program.explain_obstacle() or program.certificate.problem)
    if program.identity_problem not in lines[1]:
        lines.append(overview.format_identity_problem(program))
    return "\n".join(filter(None, lines))


def is_ready(program: Controller) -> str:
    """Returns "true" if this chassis is registered, else "false" and why it is not."""
    return "true" if program.registered else f"false: {program.explain_obstacle()}"


def reset_cluster_state(program: Controller) -> str:
    """Has a southbound be taken that is behind what was read, as a cluster that was restored."""
    if program.sb is not None:
        program.sb.reset_cluster_state()
    return ""


def count_memory(program: Controller) -> dict[str, int]:
    """Returns how many there are of what takes memory, by the names that memory/show has."""
    rows = {"rows-ovs": program.ovs.count_rows()}
    if program.sb is not None:
        rows["rows-sb"] = program.sb.count_rows()
    return {**rows, "containers": len(program.containers.wanted)}


def cleanup_status(program: Controller) -> str:
    """Returns what 'exit --cleanup' waits for."""
    obstacle = program.find_obstacle()
    return "not asked for" if obstacle is None else obstacle or "leaves"


def isolation_status(program: Controller) -> str:
    """Returns whether this chassis is isolated and its containers fenced."""
    return program.fence.describe(monotonic_ms())


def list_containers(program: Controller) -> str:
    """Returns a line for each container of this chassis."""
    return "\n".join(
        _format(name, report) for name, report in sorted(program.make_reports().items())
    )


def _format(name: str, report: status.Report) -> str:
    row = status.make_container_row(report, 0).columns
    port = "port up" if report.installed and all(report.installed.values()) else "port down"
    return f"{name}: {row['status_code']}, {port} {row['status_message']}".rstrip()
