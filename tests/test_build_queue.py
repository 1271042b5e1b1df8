"""From when on the time of unwell containers counts."""

from __future__ import annotations

import uuid
from typing import Any

from ..lib import sb
from ..northd.scheduler.build_queue import Patience

NOW = 1_000_000


def _binding(container: str, chassis: str = "hv1", **columns: Any) -> sb.ContainerBinding:
    row: dict[str, Any] = {
        "service_type": "ipsec",
        "role": "active",
        "configuration": "",
        "secrets": {},
        "generation": 1,
        "status_code": None,
        "status_message": "",
        "reached_generation": 0,
        "namespace_name": None,
        "interface_name": None,
        "restarts": 0,
        "since": None,
        "unwell_since": None,
        **columns,
    }
    return sb.ContainerBinding(
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, container + chassis),
        container=container,
        chassis=chassis,
        **row,
    )


def test_it_counts_from_when_it_is_watched() -> None:
    patience = Patience()
    patience.begin(NOW)
    row = _binding("vpn-1", status_code="error")
    assert patience.update(NOW + 5, [row]) == {("vpn-1", "hv1"): NOW + 5}
    assert patience.update(NOW + 900, [row]) == {("vpn-1", "hv1"): NOW + 5}
    patience.begin(NOW + 1000)
    assert patience.update(NOW + 1001, [row]) == {("vpn-1", "hv1"): NOW + 1001}


def test_an_error_has_its_own_time() -> None:
    patience = Patience()
    starting = _binding("vpn-1", status_code="starting")
    patience.update(NOW, [_binding("vpn-1")])
    assert patience.update(NOW + 1000, [starting]) == {("vpn-1", "hv1"): NOW}
    failing = _binding("vpn-1", status_code="error")
    assert patience.update(NOW + 5000, [failing]) == {("vpn-1", "hv1"): NOW + 5000}


def test_what_is_queued_waits_while_its_chassis_builds_others() -> None:
    patience = Patience()
    rows = [_binding("vpn-1"), _binding("vpn-2"), _binding("vpn-3", "hv2")]
    patience.update(NOW, rows)
    rows[0] = _binding("vpn-1", status_code="running", reached_generation=1)
    assert patience.update(NOW + 9000, rows) == {
        ("vpn-1", "hv1"): NOW + 9000,
        ("vpn-2", "hv1"): NOW + 9000,
        ("vpn-3", "hv2"): NOW,
    }


def test_one_that_is_restarted_again_and_again_gives_nobody_time() -> None:
    patience = Patience()
    for second in range(20):
        code = "running" if second % 2 else "starting"
        rows = [_binding("vpn-1", status_code=code, reached_generation=1), _binding("vpn-2")]
        assert patience.update(NOW + second, rows)["vpn-2", "hv1"] == NOW


def test_a_binding_that_is_gone_is_forgotten() -> None:
    patience = Patience()
    patience.update(NOW, [_binding("vpn-1")])
    assert patience.update(NOW + 1, []) == {}
    assert patience.update(NOW + 2, [_binding("vpn-1")]) == {("vpn-1", "hv1"): NOW + 2}
