"""svcctl and the API on databases that are yet to be converted to the schemas of today."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ..ctl.command_table import CommandTable
from ..ctl.core_commands import SECTIONS
from ..lib import schema
from ..northbound import Refused, connect
from .older_schema import make_older
from .ovsdb import Databases
from .svcctl import Svcctl, add_container, add_router, find_wish

# In this order; what each needs is made by those before it.
WORK = [
    "init",
    "group-add vpns least --standby=1",
    "group-set vpns --standby=",
    "chassis-group-add racks hv1 hv2",
    "group-set-chassis-group vpns racks",
    "--no-check port-group-add guests vm1",
    "group-set-port-group vpns guests",
    "vpn-add mercury tenant-router 1.0.0.100 192.168.1.0/24 --group=vpns",
    "ike-policy-add strong lifetime=7200",
    "ipsec-policy-add fast",
    "conn-add mercury to-venus 1.0.0.3 192.168.2.0/24 --psk-file=/dev/null",
    "conn-set mercury to-venus --mtu=1300",
    "conn-set mercury to-venus --enabled=false",
    "--no-check container-add echo-1 echo port=7",
    "--no-check container-set echo-1 port=8",
    "chassis-set-weight hv1 3",
    "chassis-set-limit hv1 10",
    "chassis-drain hv2",
    "chassis-undrain hv2",
    "container-pin vpn-1 hv1",
    "container-pin vpn-1 hv1",
    "container-list",
    "container-list vpn-1",
    "container-show vpn-1",
    "container-unpin vpn-1",
    "container-migrate vpn-1 hv3",
    "vpn-list",
    "vpn-list mercury",
    "vpn-show mercury",
    "conn-list",
    "conn-show mercury to-venus",
    "conn-export mercury to-venus",
    "ike-policy-list",
    "ipsec-policy-list",
    "group-list",
    "chassis-group-list",
    "port-group-list",
    "chassis-list",
    "chassis-list hv1",
    "show",
    "show mercury",
    "status",
    "status --all",
    "set-connection ptcp:6641",
    "get-connection",
    "del-connection",
    "set-ssl key certificate ca",
    "get-ssl",
    "del-ssl",
    "conn-del mercury to-venus",
    "vpn-del mercury",
    "ike-policy-del strong",
    "ipsec-policy-del fast",
    "container-del echo-1",
    "group-del vpns",
    "chassis-group-del racks",
    "port-group-del guests",
]

# What is not in the older schema, by the command that is of no use without.
LACKING = {
    "events": "table Event",
    "events --since=1h": "table Event",
    "events mercury": "table Event",
    "failover-now": "mass_failure_cfg in SVC_Global",
    "--no-check chassis-del hv1": "deleted_cfg in Chassis",
    "--no-check container-forgive vpn-1": "forgive_cfg in Container_Wish",
}


def find_name(line: str) -> str:
    return next(word for word in line.split() if not word.startswith("-"))


def run_all(svcctl: Svcctl) -> None:
    """Runs every command that an older schema serves; 'status' may find something wrong."""
    for line in WORK:
        words = line.replace("--psk-file=/dev/null", "--psk=sesame").split()
        result = svcctl(*words)
        assert result.status == 0 or find_name(line) == "status", f"{line}: {result}"
        assert "Traceback" not in result.stderr + result.stdout, f"{line}: {result}"
        assert "schema" not in result.stderr + result.stdout, f"{line}: {result}"


def downgrade(databases: Databases, names: Sequence[str]) -> None:
    for database in (databases.nb, databases.sb):
        if database.name in names:
            database.convert(make_older(database.name))


def make_line(databases: Databases, what: str) -> str:
    return (
        f"the schema of SVC_Northbound at {databases.nb.remote} has no {what}:"
        " convert it (svc-ctl restart_northd)"
    )


def test_each_command_is_tried() -> None:
    generic = {command.name for command in SECTIONS[-1][1]}
    tried = {find_name(line) for line in (*WORK, *LACKING)}
    every = {command.name for command in CommandTable().list_all()}
    assert every - generic - {"help", "sync"} == tried


@pytest.mark.parametrize(
    "names", [(schema.NORTHBOUND,), (schema.SOUTHBOUND,), (schema.NORTHBOUND, schema.SOUTHBOUND)]
)
def test_what_worked_goes_on_working(
    svcctl: Svcctl, databases: Databases, names: Sequence[str]
) -> None:
    downgrade(databases, names)
    add_router(databases, "tenant-router")
    add_container(databases)
    for name in ("hv1", "hv2", "hv3"):
        databases.sb.insert("Chassis_Private", name=name)
    databases.sb.insert("Avoided_Chassis", container="vpn-1", chassis="hv2", reason="full")
    run_all(svcctl)


def test_what_an_older_schema_lacks_is_said(svcctl: Svcctl, databases: Databases) -> None:
    downgrade(databases, (schema.NORTHBOUND,))
    svcctl.good("init")
    add_container(databases)
    for line, what in LACKING.items():
        assert svcctl.bad(*line.split()) == make_line(databases, what), line


def test_the_api_on_an_older_schema(databases: Databases) -> None:
    downgrade(databases, (schema.NORTHBOUND,))
    databases.nb.insert("SVC_Global")
    add_container(databases)
    api = connect(databases.nb.remote, timeout=10)
    try:
        for _ in range(2):
            api.container_pin("vpn-1", "hv1").execute(check_error=True)
        api.container_unpin("vpn-1").execute(check_error=True)
        assert find_wish(databases) == {}
        for command, what in (
            (api.container_forgive("vpn-1"), "forgive_cfg in Container_Wish"),
            (api.failover_now(), "mass_failure_cfg in SVC_Global"),
        ):
            with pytest.raises(Refused) as refused:
                command.execute(check_error=True)
            assert str(refused.value) == make_line(databases, what)
    finally:
        api.close()
