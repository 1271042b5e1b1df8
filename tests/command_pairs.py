"""Command lines of svcctl, and the calls of the API that do the same, or are refused alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..northbound import NorthboundApi

Call = Callable[[NorthboundApi], Any]

# Run in this order, each after those before it.
STEPS: list[tuple[str, Call]] = [
    ("group-add vpns least", lambda api: api.group_add("vpns", "least")),
    (
        "--may-exist group-add vpns least",
        lambda api: api.group_add("vpns", "least", may_exist=True),
    ),
    (
        "group-add wide weighted --spread=rack --standby=2",
        lambda api: api.group_add("wide", "weighted", spread="rack", standby=2),
    ),
    (
        "group-set wide --policy= --standby=1",
        lambda api: api.group_set("wide", policy=None, standby=1),
    ),
    (
        "group-set wide --spread= --standby=0",
        lambda api: api.group_set("wide", spread=None, standby=None),
    ),
    (
        "chassis-group-add racks hv2 hv1 hv2",
        lambda api: api.chassis_group_add("racks", ["hv2", "hv1", "hv2"]),
    ),
    (
        "--may-exist chassis-group-add racks hv1 hv2",
        lambda api: api.chassis_group_add("racks", ["hv1", "hv2"], may_exist=True),
    ),
    ("port-group-add guests vm1", lambda api: api.port_group_add("guests", ["vm1"])),
    (
        "group-set-chassis-group vpns racks",
        lambda api: api.group_set_chassis_group("vpns", "racks"),
    ),
    ("group-set-port-group vpns guests", lambda api: api.group_set_port_group("vpns", "guests")),
    ("group-set-port-group vpns", lambda api: api.group_set_port_group("vpns")),
    ("port-group-del guests", lambda api: api.port_group_del("guests")),
    ("chassis-set-weight hv1 3", lambda api: api.chassis_set_weight("hv1", 3)),
    ("chassis-set-limit hv1 10", lambda api: api.chassis_set_limit("hv1", 10)),
    ("chassis-set-limit hv1 none", lambda api: api.chassis_set_limit("hv1", None)),
    ("chassis-drain hv2", lambda api: api.chassis_drain("hv2")),
    ("chassis-undrain hv2", lambda api: api.chassis_undrain("hv2")),
    ("chassis-undrain hv3", lambda api: api.chassis_undrain("hv3")),
    (
        "ike-policy-add strong encryption_algorithm=aes-256,aes-128 pfs=group19 lifetime=7200",
        lambda api: api.ike_policy_add(
            "strong", encryption_algorithm=["aes-256", "aes-128"], pfs="group19", lifetime=7200
        ),
    ),
    (
        "--may-exist ike-policy-add strong lifetime=7200",
        lambda api: api.ike_policy_add("strong", may_exist=True, lifetime=7200),
    ),
    (
        "ipsec-policy-add fast encryption_algorithm=aes-128-gcm-16 esn=true",
        lambda api: api.ipsec_policy_add("fast", encryption_algorithm=["aes-128-gcm-16"], esn=True),
    ),
    ("ipsec-policy-add spare", lambda api: api.ipsec_policy_add("spare")),
    ("ipsec-policy-del spare", lambda api: api.ipsec_policy_del("spare")),
    (
        "vpn-add mercury tenant-router 1.0.0.100 192.168.1.0/24,10.1.0.0/16 --group=vpns",
        lambda api: api.vpn_add(
            "mercury",
            "tenant-router",
            ["1.0.0.100"],
            ["192.168.1.0/24", "10.1.0.0/16"],
            group="vpns",
        ),
    ),
    (
        "--may-exist vpn-add mercury tenant-router 1.0.0.100 10.1.0.0/16,192.168.1.0/24",
        lambda api: api.vpn_add(
            "mercury", "tenant-router", "1.0.0.100", "10.1.0.0/16,192.168.1.0/24", may_exist=True
        ),
    ),
    (
        "conn-add mercury to-venus 1.0.0.3 192.168.2.0/24 --psk=sesame --ike-policy=strong"
        " --ipsec-policy=fast --mtu=1300 --dpd-action=hold --force-udp-encapsulation=true",
        lambda api: api.conn_add(
            "mercury",
            "to-venus",
            "1.0.0.3",
            ["192.168.2.0/24"],
            psk="sesame",
            ike_policy="strong",
            ipsec_policy="fast",
            mtu=1300,
            dpd_action="hold",
            force_udp_encapsulation=True,
        ),
    ),
    (
        "--may-exist conn-add mercury to-venus 1.0.0.3 192.168.2.0/24 --psk=sesame",
        lambda api: api.conn_add(
            "mercury", "to-venus", "1.0.0.3", "192.168.2.0/24", may_exist=True, psk="sesame"
        ),
    ),
    (
        "conn-add mercury to-mars 1.0.0.4 192.168.3.0/24 --psk=other --peer-id=mars",
        lambda api: api.conn_add(
            "mercury", "to-mars", "1.0.0.4", ["192.168.3.0/24"], psk="other", peer_id="mars"
        ),
    ),
    (
        "conn-set mercury to-mars --peer-id= --peer-subnets=192.168.4.0/24,192.168.3.0/24",
        lambda api: api.conn_set(
            "mercury", "to-mars", peer_id=None, peer_subnets=["192.168.4.0/24", "192.168.3.0/24"]
        ),
    ),
    (
        "conn-set mercury to-venus --mtu= --dpd-action= --ike-policy= --psk=changed",
        lambda api: api.conn_set(
            "mercury", "to-venus", mtu=None, dpd_action=None, ike_policy=None, psk="changed"
        ),
    ),
    (
        "conn-set mercury to-venus --enabled=false",
        lambda api: api.conn_set("mercury", "to-venus", enabled=False),
    ),
    ("ike-policy-del strong", lambda api: api.ike_policy_del("strong")),
    ("conn-del mercury to-mars", lambda api: api.conn_del("mercury", "to-mars")),
    (
        "--if-exists conn-del mercury to-mars",
        lambda api: api.conn_del("mercury", "to-mars", if_exists=True),
    ),
    (
        "container-add echo-1 echo address=10.0.0.1 port=7 --group=vpns",
        lambda api: api.container_add(
            "echo-1", "echo", {"address": "10.0.0.1", "port": "7"}, group="vpns"
        ),
    ),
    (
        "container-set echo-1 port= greeting=hello --group=",
        lambda api: api.container_set("echo-1", {"port": None, "greeting": "hello"}, group=None),
    ),
    ("container-pin echo-1 hv1", lambda api: api.container_pin("echo-1", "hv1")),
    (
        "container-pin vpn-later hv2",
        lambda api: api.container_pin("vpn-later", "hv2", may_be_absent=True),
    ),
    ("container-migrate echo-1 hv1", lambda api: api.container_migrate("echo-1", "hv1")),
    ("container-migrate echo-1 hv1", lambda api: api.container_migrate("echo-1", "hv1")),
    ("container-forgive echo-1 hv2", lambda api: api.container_forgive("echo-1", "hv2")),
    ("container-pin echo-1 hv1", lambda api: api.container_pin("echo-1", "hv1")),
    ("container-unpin echo-1", lambda api: api.container_unpin("echo-1")),
    ("container-forgive echo-1", lambda api: api.container_forgive("echo-1")),
    ("container-unpin vpn-later", lambda api: api.container_unpin("vpn-later")),
    ("container-del echo-1", lambda api: api.container_del("echo-1")),
    (
        "--if-exists container-del echo-1",
        lambda api: api.container_del("echo-1", if_exists=True),
    ),
    ("set SVC_Global . options:drain-moves=4", lambda api: api.set_options(drain_moves=4)),
    ("remove SVC_Global . options drain-moves", lambda api: api.set_options(drain_moves=None)),
    (
        "set SVC_Global . mass_failure_cfg=3",
        lambda api: api.db_set("SVC_Global", ".", mass_failure_cfg=3),
    ),
    ("failover-now", lambda api: api.failover_now()),
    ("vpn-del mercury", lambda api: api.vpn_del("mercury")),
    ("--if-exists vpn-del mercury", lambda api: api.vpn_del("mercury", if_exists=True)),
    ("ipsec-policy-del fast", lambda api: api.ipsec_policy_del("fast")),
    ("group-del vpns", lambda api: api.group_del("vpns")),
    ("group-del wide", lambda api: api.group_del("wide")),
    ("chassis-group-del racks", lambda api: api.chassis_group_del("racks")),
    (
        "--if-exists chassis-group-del racks",
        lambda api: api.chassis_group_del("racks", if_exists=True),
    ),
]


def _add_vpn(api: NorthboundApi, *given: Any, **columns: Any) -> Any:
    names = ("venus", "other-router", ["1.0.0.1"], ["10.0.0.0/24"])
    return api.vpn_add(*given, *names[len(given) :], **columns)


def _add_conn(api: NorthboundApi, *given: Any, **columns: Any) -> Any:
    names = ("mercury", "c", "1.0.0.4", ["10.9.0.0/24"])
    return api.conn_add(*given, *names[len(given) :], **{"psk": "x", **columns})


_VPN = "vpn-add venus other-router 1.0.0.1"
_CONN = "conn-add mercury c 1.0.0.4 10.9.0.0/24"

# On a northbound with a VPN 'mercury', its connection, and what they use.
BAD: list[tuple[str, Call]] = [
    (f"{_VPN} 10.0.0.0", lambda api: _add_vpn(api, "venus", "other-router", "1.0.0.1", "10.0.0.0")),
    (
        f"{_VPN} 10.0.0.0/24,10.0.0.0/25",
        lambda api: _add_vpn(
            api, "venus", "other-router", "1.0.0.1", ["10.0.0.0/24", "10.0.0.0/25"]
        ),
    ),
    (
        "vpn-add venus other-router 1.0.0 10.0.0.0/24",
        lambda api: _add_vpn(api, "venus", "other-router", "1.0.0"),
    ),
    (
        "vpn-add venus other-router 1.0.0.100 10.0.0.0/24",
        lambda api: _add_vpn(api, "venus", "other-router", "1.0.0.100"),
    ),
    (f"{_VPN} 10.0.0.0/24 --mode=shared", lambda api: _add_vpn(api, mode="shared")),
    (f"{_VPN} 10.0.0.0/24 --mode=x", lambda api: _add_vpn(api, mode="x")),
    (f"{_VPN} 10.0.0.0/24 --group=x", lambda api: _add_vpn(api, group="x")),
    (
        "vpn-add mercury other-router 1.0.0.1 10.0.0.0/24",
        lambda api: _add_vpn(api, "mercury"),
    ),
    (
        "--may-exist vpn-add mercury other-router 1.0.0.100 192.168.1.0/24",
        lambda api: _add_vpn(
            api, "mercury", "other-router", "1.0.0.100", "192.168.1.0/24", may_exist=True
        ),
    ),
    ("vpn-del venus", lambda api: api.vpn_del("venus")),
    (f"{_CONN} --psk=", lambda api: _add_conn(api, psk="")),
    (_CONN, lambda api: _add_conn(api, psk=None)),
    (
        "conn-add venus c 1.0.0.4 10.9.0.0/24 --psk=x",
        lambda api: _add_conn(api, "venus"),
    ),
    (
        "conn-add mercury c 1.0.0.4 192.168.1.0/24 --psk=x",
        lambda api: _add_conn(api, "mercury", "c", "1.0.0.4", "192.168.1.0/24"),
    ),
    (
        "conn-add mercury a 1.0.0.4 192.168.2.0/25 --psk=x",
        lambda api: _add_conn(api, "mercury", "a", "1.0.0.4", "192.168.2.0/25"),
    ),
    (
        "conn-add mercury c 1.0.0.3 10.9.0.0/24 --psk=x",
        lambda api: _add_conn(api, "mercury", "c", "1.0.0.3"),
    ),
    (
        "conn-add mercury to-venus 1.0.0.4 10.9.0.0/24 --psk=x",
        lambda api: _add_conn(api, "mercury", "to-venus"),
    ),
    (
        "--may-exist conn-add mercury to-venus 1.0.0.4 192.168.2.0/24 --psk=secret",
        lambda api: _add_conn(
            api, "mercury", "to-venus", "1.0.0.4", "192.168.2.0/24", psk="secret", may_exist=True
        ),
    ),
    (f"{_CONN} --psk=x --mtu=1e3", lambda api: _add_conn(api, mtu="1e3")),
    (f"{_CONN} --psk=x --mtu=20", lambda api: _add_conn(api, mtu=20)),
    (f"{_CONN} --psk=x --dpd-timeout=20", lambda api: _add_conn(api, dpd_timeout=20)),
    (f"{_CONN} --psk=x --ike-policy=p", lambda api: _add_conn(api, ike_policy="p")),
    (f"{_CONN} --psk=x --peer-id=", lambda api: _add_conn(api, peer_id="")),
    ("conn-set mercury to-venus", lambda api: api.conn_set("mercury", "to-venus")),
    ("conn-set mercury c --mtu=1300", lambda api: api.conn_set("mercury", "c", mtu=1300)),
    ("conn-del mercury c", lambda api: api.conn_del("mercury", "c")),
    ("conn-del venus c", lambda api: api.conn_del("venus", "c")),
    ("ike-policy-add p lifetime=1", lambda api: api.ike_policy_add("p", lifetime=1)),
    (
        "ike-policy-add p ike_version=v1 encryption_algorithm=aes-256-gcm-16",
        lambda api: api.ike_policy_add(
            "p", ike_version="v1", encryption_algorithm="aes-256-gcm-16"
        ),
    ),
    ("ike-policy-add strong", lambda api: api.ike_policy_add("strong")),
    ("ike-policy-del strong", lambda api: api.ike_policy_del("strong")),
    ("ipsec-policy-del p", lambda api: api.ipsec_policy_del("p")),
    ("group-add vpns", lambda api: api.group_add("vpns")),
    (
        "--may-exist group-add vpns weighted",
        lambda api: api.group_add("vpns", "weighted", may_exist=True),
    ),
    ("group-add g fastest", lambda api: api.group_add("g", "fastest")),
    ("group-del vpns", lambda api: api.group_del("vpns")),
    ("group-del g", lambda api: api.group_del("g")),
    ("group-set-chassis-group g", lambda api: api.group_set_chassis_group("g")),
    ("group-set-chassis-group vpns cg", lambda api: api.group_set_chassis_group("vpns", "cg")),
    ("chassis-group-del cg", lambda api: api.chassis_group_del("cg")),
    ("chassis-group-del racks", lambda api: api.chassis_group_del("racks")),
    ("port-group-del pg", lambda api: api.port_group_del("pg")),
    ("container-add no/name echo", lambda api: api.container_add("no/name", "echo")),
    ("container-add vpn-1 echo", lambda api: api.container_add("vpn-1", "echo")),
    ("container-del vpn-1", lambda api: api.container_del("vpn-1")),
    ("container-migrate vpn-1 hv2", lambda api: api.container_migrate("vpn-1", "hv2")),
    ("container-set vpn-1 a=b", lambda api: api.container_set("vpn-1", {"a": "b"})),
    ("container-set c a=b", lambda api: api.container_set("c", {"a": "b"})),
    ("group-set g --policy=least", lambda api: api.group_set("g", policy="least")),
    ("group-set vpns --policy=fastest", lambda api: api.group_set("vpns", policy="fastest")),
    ("group-set-port-group g", lambda api: api.group_set_port_group("g")),
    ("group-set-port-group vpns pg", lambda api: api.group_set_port_group("vpns", "pg")),
    ("chassis-group-add racks hv1", lambda api: api.chassis_group_add("racks", ["hv1"])),
    (
        "--may-exist chassis-group-add racks hv2",
        lambda api: api.chassis_group_add("racks", ["hv2"], may_exist=True),
    ),
    ("port-group-add ports vm2", lambda api: api.port_group_add("ports", ["vm2"])),
    (
        "--may-exist port-group-add ports vm2",
        lambda api: api.port_group_add("ports", ["vm2"], may_exist=True),
    ),
    ("ipsec-policy-add p lifetime=1", lambda api: api.ipsec_policy_add("p", lifetime=1)),
    ("container-del c", lambda api: api.container_del("c")),
]

# Where svcctl has words of its own: of its options, or of the command line.
DIFFERENT: list[tuple[Call, str]] = [
    (lambda api: api.group_add("g", standby=9), "g: standby: 9 is not a number from 0 to 8"),
    (lambda api: api.group_set("vpns", spread=" "), 'vpns: spread: " " is not a key of'),
    (lambda api: api.group_add(""), "not a name"),
    (lambda api: api.chassis_set_weight("hv1", -1), "-1 is not in the valid range"),
    (lambda api: api.chassis_set_weight("", 1), "not the name of a chassis"),
    (lambda api: api.chassis_group_add("cg", []), "no chassis is given"),
    (lambda api: api.port_group_add("pg", [""]), "not the name of a port"),
    (lambda api: _add_conn(api, initiator="both"), "both is not one of the allowed values"),
    (lambda api: api.ike_policy_add("p", cipher="x"), "table IKE_Policy has no column cipher"),
    (lambda api: api.ike_policy_add("p", pfs=["group2"]), '"group2" is not one of the allowed'),
    (lambda api: api.container_migrate("c", "hv1"), "c: container not found"),
    (lambda api: api.set_options(drain_moves=0), "options:drain-moves is '0', not a number"),
    (lambda api: api.set_options(drain_move=1), "options:drain-move is no option"),
    (lambda api: api.vpn_set("mercury", local_subnets=["10.0.0.1/24"]), "did you mean 10.0.0.0/24"),
    (
        lambda api: api.vpn_set("mercury", local_subnets=["192.168.2.0/24"]),
        "connection to-venus: peer subnet 192.168.2.0/24 overlaps local subnet 192.168.2.0/24",
    ),
    (lambda api: api.vpn_set("venus", enabled=False), "venus: VPN service not found"),
    (
        lambda api: _add_vpn(
            api,
            "mercury",
            "tenant-router",
            "1.0.0.100",
            "192.168.1.0/24",
            may_exist=True,
            external_ids={"a": "c"},
        ),
        "mercury: a VPN service with this name already exists, with another external_ids",
    ),
    (lambda api: _add_vpn(api, "venus\0"), "has a character that cannot be printed"),
    (lambda api: _add_vpn(api, external_ids={"a": "\0"}), "a text with a null character"),
    (lambda api: _add_vpn(api, external_ids={"a": "\ud800"}), "a text that is not Unicode"),
    (lambda api: _add_vpn(api, options=5), "options: "),
    (lambda api: api.db_set("VPN_Service", "mercury", enabled=1), "enabled: expected boolean"),
    (lambda api: api.db_set("IPsec_Connection", "to-venus", mtu=True), "mtu: expected integer"),
    (lambda api: api.db_set("IPsec_Connection", "to-venus", dpd_action="x"), "x is not one of"),
    (lambda api: api.db_add("VPN_Service", "mercury", "external_ids", "a"), "a map, which takes"),
    (lambda api: api.db_create("IKE_Policy", name="p", lifetime=1), "1 is not in the valid range"),
    (lambda api: api.db_set("VPN_Service", "mercury", nothing=1), "has no column nothing"),
    (lambda api: api.db_remove("VPN_Service", "mercury", "local_subnets", 5), "expected string"),
    (lambda api: api.db_destroy("VPN_Service", "venus"), "venus: VPN service not found"),
]

# With --no-check svcctl believes whatever these are given, as the API does.
BELIEVED = {
    *("chassis-drain", "chassis-undrain", "chassis-set-weight", "chassis-set-limit"),
    *("container-pin", "container-unpin", "container-forgive", "failover-now"),
}
