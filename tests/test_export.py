"""The other side's configuration: what is written is read back as the same value."""

from __future__ import annotations

import base64
import ctypes
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..lib.errors import UsageError
from ..services.api.make_row import make_row
from ..services.ipsec.export import ipsec_conf, swanctl, vyos, words
from ..services.ipsec.export.algorithm_names import name_identity
from ..services.ipsec.export.algorithms import Choice, list_choices
from ..services.ipsec.export.remote_side import PLACEHOLDER, RemoteSide, make_remote_side
from ..services.ipsec.proposals import make_esp_proposals, make_ike_proposals
from ..services.ipsec.rows import IKEPolicy, IPsecPolicy
from .test_reasons import is_known_version

_LIBRARY = "/usr/lib/ipsec/libstrongswan.so.0"
ENTRY: dict[str, Any] = {
    "id": "12345678-0000-0000-0000-000000000000",
    "name": "mercury/to-venus",
    "local_address": "1.0.0.100",
    "peer_address": "1.0.0.3",
    "local_id": "1.0.0.100",
    "peer_id": "@venus",
    "ike_version": 2,
    "ike_proposals": ["aes256-sha256-modp2048"],
    "ike_lifetime_s": 14400,
    "force_udp_encapsulation": False,
    "dpd_action": "restart",
    "dpd_interval_s": 30,
    "dpd_timeout_s": 120,
    "local_subnets": ["192.168.1.0/24"],
    "peer_subnets": ["10.0.0.0/24", "192.168.2.0/24"],
    "esp_proposals": ["aes256-sha256-modp2048", "aes256-sha256"],
    "esp_lifetime_s": 3600,
    "esp_lifetime_bytes": None,
    "initiate": True,
    "mtu": None,
}
SECOND = {"id": "87654321-0000-0000-0000-000000000000", "name": "mercury/more"}
PSK = "tell nobody"
FORMATS = [swanctl.format_side, ipsec_conf.format_side, vyos.format_side, words.format_text]

# What rules.py lets through: identities, names, keys.
IDENTITIES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
NAMES = st.text(min_size=1, max_size=20).filter(lambda each: each.isprintable())
KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def make_side(psk: str | None = PSK, **changes: Any) -> RemoteSide:
    return make_remote_side([{**ENTRY, **changes}], 1442, psk)


def decode(key: str) -> str:
    assert key.startswith("0s")
    return base64.b64decode(key[2:]).decode()


# -- swanctl.conf -------------------------------------------------------------------


class Settings:
    """strongSwan's own reader of settings, in this process."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(_LIBRARY)
        assert self._library.library_init(None, b"ovnsvc-test")
        self._create = self._library.settings_create_string
        self._create.restype = ctypes.c_void_p
        self._get_type = ctypes.CFUNCTYPE(
            ctypes.c_char_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p
        )

    def end(self) -> None:
        self._library.library_deinit()

    def read(self, lines: list[str], *keys: str) -> list[str]:
        """Returns the values that are at 'keys' in a file of these lines, "" for none."""
        found = self._create("\n".join([*lines, ""]).encode())
        assert found, lines
        # get_str() is the first method of the object (settings/settings.h).
        get = self._get_type(ctypes.cast(found, ctypes.POINTER(ctypes.c_void_p))[0])
        return [(get(found, key.encode(), None) or b"").decode() for key in keys]


@pytest.fixture(scope="module")
def strongswan() -> Iterator[Settings]:
    if not is_known_version():
        pytest.skip("strongSwan 5.9.8 is not installed")
    made = Settings()
    yield made
    made.end()


@settings(max_examples=60)
@given(local=IDENTITIES, remote=IDENTITIES, psk=KEYS, vpn=NAMES, connection=NAMES)
def test_swanctl_is_read_back_as_it_was(
    strongswan: Settings, local: str, remote: str, psk: str, vpn: str, connection: str
) -> None:
    side = make_side(psk, name=f"{vpn}/{connection}", peer_id=local, local_id=remote)
    lines = swanctl.format_side(side)

    at = f"connections.{side.label}"
    child, secret = f"{at}.children.{side.label}", f"secrets.ike-{side.label}"
    keys = (f"{at}.local.id", f"{at}.remote.id", f"{secret}.id-local", f"{secret}.id-remote")
    assert strongswan.read(lines, *keys) == [local, remote, local, remote]
    [written, *others] = strongswan.read(
        *(lines, f"{secret}.secret", f"{at}.version", f"{at}.local_addrs"),
        *(f"{child}.{key}" for key in ("local_ts", "esp_proposals", "close_action")),
    )
    assert decode(written) == psk
    subnets, proposals = "10.0.0.0/24,192.168.2.0/24", "aes256-sha256-modp2048,aes256-sha256"
    assert others == ["2", "1.0.0.3", subnets, proposals, "none"]


def test_swanctl_without_the_key_has_none(strongswan: Settings) -> None:
    lines = swanctl.format_side(make_side(None))
    secret = "secrets.ike-mercury_to-venus"
    assert strongswan.read(lines, f"{secret}.id-local", f"{secret}.secret") == ["@venus", ""]
    assert f'        # secret = "{PLACEHOLDER}"' in lines


def test_swanctl_says_every_option(strongswan: Settings) -> None:
    lines = swanctl.format_side(
        make_side(
            ike_version=1,
            force_udp_encapsulation=True,
            dpd_action="disabled",
            esp_lifetime_bytes=10**9,
            initiate=False,
            mtu=1300,
        )
    )
    at, child = "connections.mercury_to-venus", "connections.mercury_to-venus.children"
    expected = {
        f"{at}.version": "1",
        f"{at}.encap": "yes",
        f"{at}.dpd_delay": "0s",
        f"{at}.rekey_time": "12960s",
        f"{at}.over_time": "1440s",
        f"{child}.mercury_to-venus-1.local_ts": "10.0.0.0/24",
        f"{child}.mercury_to-venus-2.local_ts": "192.168.2.0/24",
        f"{child}.mercury_to-venus-2.remote_ts": "192.168.1.0/24",
        f"{child}.mercury_to-venus-2.life_time": "3600s",
        f"{child}.mercury_to-venus-2.life_bytes": "1000000000",
        f"{child}.mercury_to-venus-2.start_action": "start",
        f"{child}.mercury_to-venus-2.dpd_action": "restart",
    }
    assert strongswan.read(lines, *expected) == list(expected.values())
    assert "# This side must open the tunnel; the other one waits." in lines
    size = "# Packets in the tunnel of mercury/to-venus have 1300 bytes at most (TCP MSS 1260)."
    assert size in lines


# -- ipsec.conf ---------------------------------------------------------------------


def read_conf(lines: list[str]) -> dict[str, dict[str, str]]:
    """Reads ipsec.conf as the lexer of strongSwan's starter does."""
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if line.startswith("conn "):
            section = found.setdefault(line.removeprefix("conn "), {})
            continue
        matched = re.fullmatch(r'    (\w+)=(?:"((?:\\.|[^\\"])*)"|([^"#= \t]+))', line)
        assert matched is not None, line
        name, quoted, plain = matched.groups()
        section[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return found


def read_secret(line: str) -> tuple[str, ...]:
    """Reads a line of ipsec.secrets: identities up to " : ", each up to its quote."""
    owners, mark, key = line.rpartition(" : PSK ")
    assert mark, line
    found = re.findall(r"""(?:^| )(?:"([^"]*)"|'([^']*)')(?= |$)""", owners)
    return (*("".join(each) for each in found), decode(key))


def cannot_be_said(identity: str) -> bool:
    """Whether the files have no words for it: quotes of both kinds, a name behind a "%"."""
    special = identity.startswith("%") and ("=" in identity or identity in ("%any", "%any6"))
    return special or {"'", '"'} <= set(identity)


@given(local=IDENTITIES, remote=IDENTITIES, psk=KEYS, name=NAMES)
def test_ipsec_conf_is_read_back_as_it_was(local: str, remote: str, psk: str, name: str) -> None:
    side = make_side(psk, name=f"mercury/{name}", peer_id=local, local_id=remote)
    if any(map(cannot_be_said, (local, remote))):
        with pytest.raises(UsageError, match="cannot say the identity"):
            ipsec_conf.format_side(side)
        return
    lines = ipsec_conf.format_side(side)
    border = lines.index(ipsec_conf.SECRETS)
    conn = read_conf(lines[:border])[side.label]
    # A "%" in front has a meaning of its own there.
    for text, written in ((local, conn["leftid"]), (remote, conn["rightid"])):
        assert written == text or (text.startswith("%") and written.endswith(f":{text}"))
    assert conn["leftsubnet"] == "10.0.0.0/24,192.168.2.0/24"
    assert read_secret(lines[border + 1]) == (local, remote, psk)


def test_ipsec_conf_says_every_option() -> None:
    side = make_side(
        None,
        ike_version=1,
        force_udp_encapsulation=True,
        dpd_action="clear",
        esp_lifetime_bytes=10**9,
        initiate=False,
    )
    lines = ipsec_conf.format_side(side)
    found = read_conf(lines[: lines.index(ipsec_conf.SECRETS)])
    assert list(found) == ["mercury_to-venus-1", "mercury_to-venus-2"]
    conn = found["mercury_to-venus-2"]
    assert (conn["keyexchange"], conn["auto"], conn["forceencaps"]) == ("ikev1", "start", "yes")
    assert (conn["dpdaction"], conn["lifebytes"]) == ("restart", "1000000000")
    assert (conn["left"], conn["right"]) == ("1.0.0.3", "1.0.0.100")
    assert lines[-1] == f'# "@venus" "1.0.0.100" : PSK "{PLACEHOLDER}"'
    off = ipsec_conf.format_side(make_side(dpd_action="disabled"))
    assert "    dpdaction=none" in off


def test_ipsec_conf_refuses_a_name_that_begins_with_a_percent_sign() -> None:
    with pytest.raises(UsageError, match=r"ipsec.conf cannot say the identity %CN=venus"):
        ipsec_conf.format_side(make_side(peer_id="%CN=venus"))
    assert '    leftid="fqdn:%venus"' in ipsec_conf.format_side(make_side(peer_id="%venus"))


# -- vyos ---------------------------------------------------------------------------

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_CIPHER = r"aes(128|192|256)((gcm|ccm)128)?|chacha20poly1305"
_HASH = r"sha256|sha384|sha512|aesxcbc|aescmac"
# interface-definitions/vpn_ipsec.xml.in of vyos-1x, as far as it is used here.
_NODES = [
    rf"ike-group {_NAME} (key-exchange (ikev1|ikev2)|lifetime \d+|disable-mobike"
    r"|close-action (none|trap|start)|dead-peer-detection action (trap|clear|restart)"
    r"|dead-peer-detection (interval|timeout) \d+"
    rf"|proposal \d+ (encryption ({_CIPHER})|hash ({_HASH})"
    r"|dh-group (14|15|16|17|18|19|20|21|31|32)|prf prf(sha256|sha384|sha512|aesxcbc|aescmac)))",
    rf"esp-group {_NAME} (mode tunnel|lifetime \d+|life-bytes \d+"
    r"|pfs (disable|dh-group(14|15|16|17|18|19|20|21|31|32))"
    rf"|proposal \d+ (encryption ({_CIPHER})|hash ({_HASH})))",
    rf"site-to-site peer {_NAME} (authentication mode pre-shared-secret"
    r"|authentication (local-id|remote-id) \S+|connection-type (initiate|respond)"
    rf"|ike-group {_NAME}|(local|remote)-address [0-9.]+|force-udp-encapsulation"
    rf"|tunnel \d+ (esp-group {_NAME}|(local|remote) prefix [0-9./]+))",
    rf"authentication psk {_NAME} (id \S+|secret 0s\S+)",
]


def read_vyos(lines: list[str]) -> list[str]:
    """Returns the nodes that are set, without quotes; each must be one that VyOS has."""
    found = []
    for line in lines:
        if line.startswith("#"):
            continue
        nodes = " ".join(shlex.split(line.removeprefix("set vpn ipsec ")))
        assert any(re.fullmatch(each, nodes) for each in _NODES), line
        found.append(nodes)
    return found


@given(local=IDENTITIES, remote=IDENTITIES, psk=KEYS, name=NAMES)
def test_vyos_takes_each_line(local: str, remote: str, psk: str, name: str) -> None:
    side = make_side(psk, name=f"mercury/{name}", peer_id=local, local_id=remote)
    if set("'\"\\") & set(local + remote):
        with pytest.raises(UsageError, match="vyos cannot say the identity"):
            vyos.format_side(side)
        return
    found = read_vyos(vyos.format_side(side))
    peer = f"site-to-site peer {side.label}"
    assert f"{peer} authentication local-id {local}" in found
    assert f"{peer} authentication remote-id {remote}" in found
    [secret] = [each for each in found if " secret " in each]
    assert decode(secret.split()[-1]) == psk


def test_vyos_says_what_it_cannot() -> None:
    lines = vyos.format_side(
        make_side(
            None,
            ike_lifetime_s=100_000,
            dpd_interval_s=1,
            esp_proposals=["aes256gcm16-modp2048-esn", "aes256gcm16-esn"],
        )
    )
    group = "set vpn ipsec ike-group mercury_to-venus"
    assert f"{group} lifetime '86400'" in lines
    notes = [line for line in lines if line.startswith("#")]
    assert "# lifetime should be 100000; VyOS takes 30 to 86400" in notes
    assert "# interval should be 1; VyOS takes 2 to 86400" in notes
    assert "# pfs 'disable' does as well" in notes
    assert any("esn" in note for note in notes)
    assert "set vpn ipsec esp-group mercury_to-venus proposal 1 encryption 'aes256gcm128'" in lines
    assert (
        notes[-1] == f"# set vpn ipsec authentication psk mercury_to-venus secret '{PLACEHOLDER}'"
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("cipher", ["aes-128", "aes-256-gcm-16", "chacha20-poly1305", ""])
@pytest.mark.parametrize("integrity", ["sha512", "aes-cmac", ""])
@pytest.mark.parametrize("group", ["group31", "group15", ""])
def test_each_algorithm_has_its_words(
    version: str, cipher: str, integrity: str, group: str
) -> None:
    names = {"encryption_algorithm": cipher, "auth_algorithm": integrity, "pfs": group}
    columns = {column: (name,) for column, name in names.items() if name}
    ike = make_row(IKEPolicy, {"ike_version": (version,), **columns})
    number = 1 if version == "v1" else 2
    proposals: dict[str, Any] = {
        "ike_proposals": make_ike_proposals(ike),
        "esp_proposals": make_esp_proposals(make_row(IPsecPolicy, columns), number),
    }
    side = make_side(ike_version=number, **proposals)
    read_vyos(vyos.format_side(side))
    for format_side in (swanctl.format_side, ipsec_conf.format_side):
        assert proposals["ike_proposals"][0] in "\n".join(format_side(side))
    told = words.format_text(side)
    for kind in ("    encryption: ", "    DH group: ", "    PFS: "):
        assert any(line.startswith(kind) and line.strip() != kind.strip() for line in told), told
    text = "\n".join(told)
    assert not [word for each in proposals.values() for word in each if word in text]


# -- all ----------------------------------------------------------------------------


def test_proposals_are_taken_apart() -> None:
    assert list_choices(["aes256-aes128-sha256-modp2048", "aes256gcm16-prfsha256-ecp256-esn"]) == [
        Choice("aes256", "sha256", "", "modp2048"),
        Choice("aes128", "sha256", "", "modp2048"),
        Choice("aes256gcm16", "", "prfsha256", "ecp256", "esn"),
    ]


def test_connections_with_the_same_ends_are_children_of_one() -> None:
    """A gateway that has them apart would take the first one for each, and refuse the others."""
    more = {**ENTRY, **SECOND, "peer_subnets": ["172.16.0.0/24"], "initiate": False}
    side = make_remote_side([ENTRY, more], 1442, PSK)
    assert not side.must_initiate
    lines = swanctl.format_side(side)
    assert lines.count("    mercury_to-venus {") == 1
    assert "            mercury_more {" in lines
    assert lines[0] == "# The gateway 1.0.0.3 of connections mercury/to-venus, mercury/more."
    peer = "set vpn ipsec site-to-site peer mercury_to-venus tunnel 2"
    assert f"{peer} esp-group 'mercury_more'" in vyos.format_side(side)


def test_no_label_stands_for_two() -> None:
    names = ["a-b/c", "a/b-c", "a_b/c", "a/b_c", "a b/c", "a/b/c", "a/b c", "-a/b", "ä/b", "/"]
    sides = [make_side(name=name, id=f"{n:08}-0000") for n, name in enumerate(names)]
    labels = [side.label for side in sides]
    assert len(set(labels)) == len(names)
    assert all(re.fullmatch(_NAME, label) for label in labels), labels
    assert labels[0] == "a-b_c"


TEXT = """\
VPN mercury/to-venus, as the gateway 1.0.0.3 must have it
"Local" is that gateway and what is behind it, "remote" is 1.0.0.100.
Gateways
    local gateway: 1.0.0.3
    local identity: venus, type FQDN
    remote gateway: 1.0.0.100
    remote identity: 1.0.0.100, type IPv4 address
    authentication: pre-shared key
    pre-shared key: tell nobody
    opened by: either side
    firewall: UDP 500, UDP 4500 and ESP (IP protocol 50), both ways between the gateways
    NAT traversal: on; ESP in UDP 4500 where either side wants it
Phase 1 (IKE)
    version: IKEv2
    encryption: AES-256-CBC
    integrity and PRF: SHA-256
    DH group: 14 (2048 bit)
    lifetime: 14400 s
    dead peer detection: after 30 s without traffic
    action for a dead peer: clear (the remote gateway opens it)
Phase 2 (ESP) of mercury/to-venus
    mode: tunnel
    encryption: AES-256-CBC
    integrity: SHA-256 (HMAC 128 bit)
    PFS: group 14 (2048 bit) or none
    extended sequence numbers: off
    lifetime: 3600 s, no lifetime in kB
    local subnets: 10.0.0.0/24 (255.255.255.0), 192.168.2.0/24 (255.255.255.0)
    remote subnets: 192.168.1.0/24 (255.255.255.0)
    SAs: one for all subnets, or 2, one for each local with each remote subnet
    policy-based device: exactly these subnets, any protocol and port
    route-based device: these subnets as selectors, or 0.0.0.0/0, which is narrowed to them \
(RFC 7296, 2.9)
    routes of a route-based device: the remote subnets into the tunnel, and nothing else
    NAT: none between these subnets; leave them out of source NAT
    inner MTU: 1342 bytes, the longest packet of the remote gateway
    TCP MSS: 1302 bytes, set by the remote gateway in both directions
"""


def test_words_are_those_of_other_makes() -> None:
    assert "\n".join(words.format_text(make_side())) + "\n" == TEXT


def test_words_say_what_is_of_ike_v1() -> None:
    side = make_side(
        ike_version=1,
        ike_proposals=["aes256-sha256-modp2048", "aes256-sha256-modp3072"],
        esp_proposals=["aes256gcm16-curve25519-esn", "aes128-sha512-curve25519-esn"],
        esp_lifetime_bytes=10**9,
        initiate=False,
        force_udp_encapsulation=True,
    )
    text = "\n".join(words.format_text(side))
    for line in (
        "opened by: the local gateway; the remote one waits",
        "NAT traversal: on; ESP in UDP 4500 always",
        "version: IKEv1, main mode (aggressive mode is refused)",
        "hash: SHA-256",
        "DH group: 14 (2048 bit) or 15 (3072 bit)",
        "dead peer detection: after 30 s without traffic, timeout 120 s",
        "action for a dead peer: restart (open it again)",
        "lifetime: 3600 s, 976562 kB (1000000000 bytes)",
        "SAs: 2, one for each local subnet with each remote subnet",
        "route-based device: these subnets as phase 2 selectors (proxy IDs); IKEv1 cannot narrow"
        " 0.0.0.0/0",
    ):
        assert f"    {line}\n" in text
    assert (
        "    proposal 1\n"
        "        encryption: AES-256-GCM (16 byte ICV)\n"
        "        integrity: by the encryption\n"
        "        PFS: group 31 (Curve25519)\n"
        "        extended sequence numbers: on (64 bit)\n"
        "    proposal 2\n"
        "        encryption: AES-128-CBC\n"
        "        integrity: SHA-512 (HMAC 256 bit)\n"
    ) in text
    assert "    dead peer detection: off" in words.format_text(make_side(dpd_action="disabled"))


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ("1.0.0.3", "1.0.0.3, type IPv4 address"),
        ("ipv4:1.0.0.3", "1.0.0.3, type IPv4 address"),
        ("{9}:x", "x, type distinguished name"),
        ("{99}:x", "x, type 99"),
        ("@Venus.Example", "Venus.Example, type FQDN"),
        ("venus@example.org", "venus@example.org, type e-mail address (user FQDN)"),
        ("@#00ff", "0x00ff, type key ID"),
        ("keyid:venus", "venus, type key ID"),
        ("CN=venus", "CN=venus, type distinguished name (ASN.1 DN)"),
        ("2001:db8::1", "2001:db8::1, type IPv6 address"),
    ],
)
def test_an_identity_has_its_type(identity: str, told: str) -> None:
    assert name_identity(identity).startswith(told)


@given(IDENTITIES)
def test_any_identity_is_told_in_one_line(identity: str) -> None:
    assert name_identity(identity).isprintable()


def test_words_and_json() -> None:
    side = make_side("a\nb", force_udp_encapsulation=True)
    assert "    pre-shared key: 0sYQpi (base64 behind 0s)" in words.format_text(side)
    document = json.loads("\n".join(words.format_json(side)))
    assert (document["psk"], document["local_id"]) == ("a\nb", "@venus")
    [child] = document["children"]
    assert (child["esp_lifetime_s"], child["mtu"], child["tcp_mss"]) == (3600, 1342, 1302)
    assert json.loads("\n".join(words.format_json(make_side(None))))["psk"] is None


@pytest.mark.parametrize("format_side", [*FORMATS, words.format_json])
def test_the_key_is_nowhere_where_it_is_not_to_be_shown(format_side: Any) -> None:
    encoded = base64.b64encode(PSK.encode()).decode()
    shown = "\n".join(format_side(make_side()))
    hidden = "\n".join(format_side(make_side(None)))
    assert PSK in shown or encoded in shown
    assert PSK not in hidden
    assert encoded not in hidden
