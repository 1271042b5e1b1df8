"""The command echo-list."""

from __future__ import annotations

from ovnsvc.services.api.commands import Run


def list_servers(run: Run) -> None:
    """List echo servers with their router, address, port and status."""
    table = run.start_table(("name", "router", "address", "port", "status", "chassis"))
    rows = run.rows("Service_Container").values()
    for row in sorted(rows, key=lambda each: each.text("name")):
        if row.text("service_type") != "echo":
            continue
        settings = row.datum("configuration")
        assert isinstance(settings, dict)
        shown = [str(settings.get(key, "")) for key in ("router", "address", "port")]
        table.add(row.text("name"), *shown, row.text("status_code"), row.text("chassis"))
