"""What the rows of one chassis say does no harm to others, whatever that is."""

from __future__ import annotations

from typing import Any

import pytest

from ..lib import sealing
from ..lib.errors import ConfigError
from .cloud import Cloud
from .rig import to_map
from .svcctl import Svcctl

THIEF, OTHERS = "hv2", ("hv1", "hv3")
# What a terminal obeys, what begins a line of a log, what turns text round.
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\n2026-11-27T00:00:00Z|00001|northd|INFO|all is well\u202e\x9b"
MOST = 2**53 - 1
_STILL = "svcctl: warning: what is listed is not of this moment"


def _tell(cloud: Cloud, table: str, **columns: Any) -> None:
    """Writes what the thief may write of its own rows."""
    key = "name" if table.startswith("Chassis") else "chassis"
    cloud.sb.update(table, [[key, "==", THIEF]], **columns)


@pytest.fixture
def cloud(vpn_cloud: Cloud) -> Cloud:
    """The VPN serves from the thief's chassis, so that all of its words are told."""
    vpn_cloud.nb.insert("Chassis", name="hv1", drain=True)
    vpn_cloud.nb.insert("Chassis", name="hv3", container_weight=0)
    vpn_cloud.settle()
    assert vpn_cloud.find(vpn_cloud.sb, "Container_Binding")["chassis"] == THIEF
    return vpn_cloud


def test_no_word_of_it_is_obeyed_by_a_terminal_or_begins_a_line(
    cloud: Cloud, svcctl: Svcctl
) -> None:
    thief = cloud.chassis[THIEF]
    thief.obeys = False
    cloud.logs.allow(f"chassis {THIEF} is unfit")
    (connection,) = cloud.nb.rows("IPsec_Connection")
    thief.report_tunnel(connection["_uuid"][1], "up", ESCAPES)
    _tell(cloud, "Container_Item", detail=to_map({ESCAPES: ESCAPES}), state=ESCAPES)
    _tell(cloud, "Container_Binding", status_code="error", status_message=ESCAPES)
    problems = to_map({ESCAPES: ESCAPES})
    _tell(cloud, "Chassis", hostname=ESCAPES, service_types=ESCAPES, service_problems=problems)
    _tell(cloud, "Chassis_Private", warnings=ESCAPES, ovn_problem=ESCAPES, load=problems)
    cloud.settle()
    said = [text for _, _, text in cloud.logs.messages]
    assert any("all is well" in text for text in said)
    assert all(text.isprintable() for text in said if "all is well" in text)
    container = cloud.find(cloud.sb, "Container_Binding")["container"]
    printed = ""
    for words in (
        ("show",),
        ("status",),
        ("chassis-list",),
        ("--wide", "chassis-list"),
        ("container-list",),
        ("container-show", container),
        ("conn-list", "mercury"),
        ("conn-show", "mercury", "to-venus"),
        ("vpn-show", "mercury"),
        ("events",),
    ):
        done = svcctl(*words)
        # svc-northd stands still meanwhile, which a list may say.
        assert done.stderr == "" or _STILL in done.stderr, words
        told = f"{done.stdout}{done.stderr}"
        assert all(line.isprintable() for line in told.splitlines()), words
        printed += done.stdout
    # Each word of it is there, as it can be read.
    assert printed.count("owned") > 10


def test_a_number_that_it_never_reaches_keeps_waiters_and_nobody_else(cloud: Cloud) -> None:
    cloud.chassis[THIEF].follows = False
    _tell(cloud, "Chassis_Private", nb_cfg=0)
    before = cloud.find(cloud.nb, "SVC_Global")["nb_cfg"]
    cloud.nb.update("SVC_Global", [], nb_cfg=before + 1)
    cloud.settle()
    root = cloud.find(cloud.nb, "SVC_Global")
    assert (root["sb_cfg"], root["hv_cfg"] <= before) == (before + 1, True)


@pytest.mark.parametrize("claimed", [2**40, 2**52, MOST])
def test_a_number_of_the_future_is_a_lie_about_itself(cloud: Cloud, claimed: int) -> None:
    cloud.chassis[THIEF].follows = False
    for name in OTHERS:
        cloud.chassis[name].follows = False
    before = cloud.find(cloud.nb, "SVC_Global")["nb_cfg"]
    cloud.nb.update("SVC_Global", [], nb_cfg=before + 1)
    _tell(cloud, "Chassis_Private", nb_cfg=claimed)
    cloud.settle()
    assert cloud.find(cloud.nb, "SVC_Global")["hv_cfg"] <= before


def test_its_own_key_opens_what_is_its_own_and_is_told(cloud: Cloud) -> None:
    secrets = cloud.find(cloud.sb, "Container_Binding")["secrets"]
    key = sealing.make_private_key()
    _tell(cloud, "Chassis", public_key=sealing.format_public_key(key))
    cloud.settle()
    binding = cloud.find(cloud.sb, "Container_Binding")
    assert binding["secrets"] != secrets
    (event,) = cloud.nb.rows("Event", [["name", "==", THIEF], ["state", "==", "rekeyed"]])
    assert event["message"].startswith("it tells another public key")
    # It moves away, and what it is given there is sealed for nobody else.
    cloud.nb.update("Chassis", [["name", "==", "hv1"]], drain=False)
    cloud.nb.insert("Chassis", name=THIEF, drain=True)
    cloud.settle()
    binding = cloud.find(cloud.sb, "Container_Binding")
    assert binding["chassis"] == "hv1"
    for name, sealed in binding["secrets"][1]:
        assert sealing.unseal(sealed, cloud.chassis["hv1"].private_key), name
        with pytest.raises(ConfigError):
            sealing.unseal(sealed, key)
