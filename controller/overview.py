"""What svc-controller says of itself as a whole: the runtime command 'status'."""

from __future__ import annotations

from collections import Counter

from ..lib.loop import monotonic_ms
from . import status
from .controller import Controller

_MOST_PROBLEMS = 20


def format_status(program: Controller) -> str:
    """Returns whether the chassis is registered and where, its containers, and what is wrong."""
    identity, reports = program.identity, program.make_reports()
    codes = Counter(str(_make_columns(each)["status_code"]) for each in reports.values())
    counted = ", ".join(f"{number} {code}" for code, number in sorted(codes.items()))
    problems = find_problems(program, reports)
    lines = [
        f"Chassis: {identity.chassis if identity is not None else 'unknown'}",
        f"Registered: {'yes' if program.registered else 'no'}",
        f"Southbound: {_describe_southbound(program)}",
        f"Containers: {len(reports)}" + (f" ({counted})" if counted else ""),
        f"Dead after: {program.dead_after_ms / 1000:g} s without a heartbeat",
        *(f"Problem: {each}" for each in problems[:_MOST_PROBLEMS]),
    ]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"Problem: {len(problems) - _MOST_PROBLEMS} more")
    return "\n".join(lines)


def find_problems(program: Controller, reports: dict[str, status.Report]) -> list[str]:
    """Returns what is wrong on this chassis, each in a sentence; what concerns all comes first."""
    obstacle = program.explain_obstacle()
    found = [obstacle]
    if program.identity_problem not in obstacle:
        found.append(format_identity_problem(program))
    connected = program.sb is not None and program.sb.connected
    # It is of the last connection: the next one may have another certificate.
    if connected and program.certificate.problem not in obstacle:
        found.append(program.certificate.problem)
    found += [program.chassis.heartbeat.ovn_problem, *program.chassis.heartbeat.warnings]
    if program.containers.fenced:
        found.append(program.fence.describe(monotonic_ms()))
    if program.identity is not None:
        labels = program.identity.label_problems
        found += [f"external_ids:svc-labels of the local Open_vSwitch: {each}" for each in labels]
    found += [f"{name}: {each}" for name, each in sorted(program.chassis.refusals.items())]
    errors = ((name, status.find_error(each)) for name, each in sorted(reports.items()))
    found += [f"{name}: {each}" for name, each in errors if each]
    return [each for each in found if each]


def format_identity_problem(program: Controller) -> str:
    """Returns what the local Open_vSwitch says that is not followed, and what is done meanwhile."""
    return f"{program.identity_problem}; it goes on as before"


def _make_columns(report: status.Report) -> dict[str, object]:
    return dict(status.make_container_row(report, 0).columns)


def _describe_southbound(program: Controller) -> str:
    if program.identity is None:
        return "unknown"
    session = program.sb
    connected = session is not None and session.synced and session.connected
    return f"{program.identity.remote}, {'connected' if connected else 'not connected'}"
