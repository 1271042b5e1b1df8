"""The units under utilities/systemd: systemd takes them, and what they run is the daemon itself."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNITS = sorted((ROOT / "utilities" / "systemd").glob("*.service"))


def read(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return parser


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_one_that_is_killed_is_started_again_for_ever(unit: Path) -> None:
    """A unit of Type=oneshot is active after its daemon was killed, and nobody starts it again."""
    service = read(unit)["Service"]
    assert (service["Type"], service["Restart"]) == ("exec", "always")
    assert read(unit)["Unit"]["StartLimitIntervalSec"] == "0"
    command = service["ExecStart"].removeprefix("/opt/ovnsvc/utilities/svc-ctl run_")
    assert command in ("controller", "northd", "nb_ovsdb", "sb_ovsdb")
    mode = "process" if command == "controller" else "control-group"
    assert service.get("KillMode", "control-group") == mode


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_them(tmp_path: Path) -> None:
    assert len(UNITS) == 4
    for unit in UNITS:
        text = unit.read_text().replace("/opt/ovnsvc", str(ROOT))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / each.name for each in UNITS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if "svc-" in line]
    assert (done.returncode, told) == (0, [])
