"""A stock strongSwan at the remote site, with what conn-export writes and nothing else."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ...services.ipsec.export.ipsec_conf import SECRETS
from ...utilities.lab import cloud, peer, tenant, traffic
from ...utilities.lab.host import Host
from ...utilities.lab.peer_conf import Site
from .site import EXTERNAL, Operator

PEER = "ceres"
ADDRESS = "1.0.0.50"
CONNECTIONS = ("to-ceres", "more")
SUBNETS = ("192.168.60.0/24", "192.168.62.0/24")
HOSTS = ("192.168.60.10", "192.168.62.10")
# What has a meaning of its own in each of the files.
IDENTITY = 'ceres"\\#{}'
KEY = "tell \"nobody\" \\n 'about' #{ceres} = 0s"
# With the older way of configuration; where they are installed they start a daemon.
PACKAGES = ("strongswan-starter", "strongswan-charon")
LIBRARIES = "/usr/lib/ipsec"
LIBIPSEC = "charon { plugins { kernel-libipsec { load = yes } } }"


@pytest.fixture
def site(operator: Operator, tmp_path: Path) -> Iterator[Host]:
    """A remote site whose own file has another key, and a connection to it."""
    site = Site(f"{ADDRESS}/24", SUBNETS, EXTERNAL, (tenant.SUBNET,), "another key")
    cloud.add_peer(operator.lab, PEER, site)
    key = tmp_path / "key"
    key.write_text(KEY)
    operator.svcctl("vpn-add", "mercury", tenant.ROUTER, EXTERNAL, tenant.SUBNET)
    operator.svcctl("ipsec-policy-add", "gcm", "encryption_algorithm=aes-256-gcm-16")
    operator.svcctl("ike-policy-add", "old", "ike_version=v1")
    options = (f"--psk-file={key}", f"--peer-id={IDENTITY}", "--ipsec-policy=gcm")
    # One IKE SA of both.
    for name, subnet in zip(CONNECTIONS, SUBNETS, strict=True):
        operator.svcctl("--wait=hv", "conn-add", "mercury", name, ADDRESS, subnet, *options)
    yield operator.host(PEER)
    cloud.del_peer(operator.lab, PEER)


def export(operator: Operator, name: str) -> str:
    words = ("conn-export", "mercury", "to-ceres", f"--format={name}", "--show-secrets")
    return operator.svcctl(*words)


def change(operator: Operator, option: str) -> None:
    """Changes both connections, which share what is of IKE, at once."""
    words = [word for name in CONNECTIONS for word in ("--", "conn-set", "mercury", name, option)]
    operator.svcctl("--wait=hv", *words[1:])


def test_the_exported_files_make_the_tunnel(operator: Operator, site: Host, tmp_path: Path) -> None:
    starter = fetch_starter(tmp_path)
    assert operator.row("VPN_Service")["status"] == "down"
    lay_over(site, starter)
    # Either side opens it; then the remote one; then as IKE v1.
    for option in ("", "--initiator=response-only", "--ike-policy=old"):
        if option:
            change(operator, option)
        check(operator, site, lambda: start_swanctl(site, export(operator, "swanctl")))
        check(operator, site, lambda: start_ipsec(site, export(operator, "ipsec.conf")))
    shown = operator.svcctl("conn-show", "mercury", "to-ceres")
    assert "IKE opened by: the peer\n" in shown
    assert "IKE: IKEv1 AES_CBC_256/HMAC_SHA2_256_128/MODP_2048\n" in shown
    assert "ESP: AES_GCM_16_256" in shown


def check(operator: Operator, site: Host, start: Callable[[], None]) -> None:
    """Stops what runs at the site, starts something else, and holds the tunnel to carry packets."""
    for name in ("starter", "charon"):
        for each in site.find_processes(name):
            each.kill(signal.SIGTERM)
    operator.wait(lambda: not site.find_processes("charon"), "the site's charon to end")
    operator.wait(lambda: operator.row("VPN_Service")["status"] == "down", "the tunnels to end")
    start()
    operator.wait(lambda: operator.row("VPN_Service")["status"] == "up", "status up")
    for behind in HOSTS:
        traffic.wait_reachable(operator.lab, "vm1", behind, 10)


def start_swanctl(site: Host, text: str) -> None:
    site.run("rm", "-f", "/etc/ipsec.conf", "/etc/ipsec.secrets")
    (site.directory / "etc/swanctl/swanctl.conf").write_text(text)
    peer.start(site, "charon")


def start_ipsec(site: Host, text: str) -> None:
    """Starts strongSwan as `ipsec start` does."""
    conf, secrets = text.split(SECRETS)
    for name, lines in (
        ("ipsec.conf", conf),
        ("ipsec.secrets", secrets),
        ("strongswan.d/lab.conf", LIBIPSEC),
    ):
        site.run("sh", "-c", f"umask 077; cat > /etc/{name}", stdin=f"{lines}\n")
    site.run(f"{LIBRARIES}/starter", "--daemon", "charon")


def lay_over(site: Host, starter: Path) -> None:
    """Lays Debian's files of the packages over those of the host, which goes with them."""
    layers = f"lowerdir={starter}{LIBRARIES}:{LIBRARIES}"
    site.run("mount", "-t", "overlay", "-o", layers, "overlay", LIBRARIES)
    site.run("cp", "-r", f"{starter}/etc/.", "/etc/")


def fetch_starter(directory: Path) -> Path:
    """Returns a folder with the files of Debian's packages, which are not installed."""
    found = directory / "starter"
    try:
        subprocess.run(
            ["apt-get", "-q", "download", *PACKAGES],
            cwd=directory,
            check=True,
            capture_output=True,
            timeout=60,
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"apt-get download: {error.stderr!r}")
    for package in directory.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, found], check=True)
    return found
