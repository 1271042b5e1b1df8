"""The charon of a container: what it needs of the host, its files, how it is started.

Nothing under /etc is read, so that what the distribution configures for an
IPsec of the host itself has no part in a container.
"""

from __future__ import annotations

import os
import shutil

from ....lib import state_file
from ....lib.errors import HostError
from ...api.host import Process, Sandbox
from ...api.program import Launch

PROGRAM = "charon-systemd"
KERNEL = "kernel"
LIBIPSEC = "libipsec"

_PLUGIN_DIRECTORIES = ("/usr/lib/ipsec/plugins", "/usr/lib64/strongswan/plugins")
_CONFIGURATION_VARIABLE = "STRONGSWAN_CONF"

# kernel-libipsec before kernel-netlink, which does the rest of the kernel's work.
_PLUGINS = (
    "random nonce aes sha1 sha2 hmac kdf pem x509 pubkey pkcs1 pkcs8 openssl curve25519 gcm ccm "
    "ctr chapoly xcbc cmac {libipsec}kernel-netlink socket-default vici"
)

# A request is repeated after 0.25, 0.45, 0.81, 1.46 s and then every 2 s (min(limit,
# timeout * base^n)), 6 times in all: a packet that is lost while a container moves costs a
# quarter of a second, a peer that comes back is met within 2 s, and one that is silent for
# 9 s (0.25 + 0.45 + 0.81 + 1.46 + 3 * 2) is dead.
_CONFIGURATION = """\
charon-systemd {{
    load = {plugins}
    install_routes = yes
    install_virtual_ip = no
    retransmit_timeout = 0.25
    retransmit_base = 1.8
    retransmit_limit = 2
    retransmit_tries = 6
    plugins {{
        vici {{
            socket = unix://{socket}
        }}
        kernel-netlink {{
            mtu = {mtu}
        }}
    }}
    filelog {{
        log {{
            path = {log_path}
            append = yes
            default = 1
            flush_line = yes
            ike_name = yes
            time_format = %Y-%m-%dT%H:%M:%S
        }}
    }}
    journal {{
        default = -1
    }}
}}
"""


def find_program() -> str | None:
    """Returns the path of charon-systemd."""
    return shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/libexec")


def find_problem() -> str | None:
    """Returns why this host cannot run charon, in a sentence."""
    if find_program() is None:
        return "charon-systemd is not installed (Debian package charon-systemd)"
    if shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        return "nft is not installed (Debian package nftables)"
    if not _has_plugin("libstrongswan-vici.so"):
        return "strongSwan's vici plugin is not installed (Debian package libcharon-extra-plugins)"
    return None


def find_libipsec_problem() -> str | None:
    """Returns why ESP in userspace is not possible, in a sentence."""
    if not _has_plugin("libstrongswan-kernel-libipsec.so"):
        return (
            "the kernel has no ESP and strongSwan's kernel-libipsec plugin is not installed "
            "(Debian package libcharon-extra-plugins)"
        )
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "the kernel has no ESP and there is no /dev/net/tun for kernel-libipsec"
    return None


def find_socket(sandbox: Sandbox) -> str:
    """Returns the path of the vici socket."""
    return os.path.join(sandbox.directory, "charon.vici")


def adopt(sandbox: Sandbox) -> Process | None:
    """Returns the charon that runs in 'sandbox' already."""
    launch = _make_launch(sandbox, find_program() or PROGRAM)
    return sandbox.adopt(launch, f"{_CONFIGURATION_VARIABLE}={_configuration_path(sandbox)}")


def start(sandbox: Sandbox, esp: str, mtu: int) -> Process:
    """Starts a charon that has no connection yet; raises HostError."""
    program = find_program()
    if program is None:
        raise HostError("charon-systemd is not installed (Debian package charon-systemd)")
    _write_configuration(sandbox, esp, mtu)
    for path in (find_socket(sandbox), find_loaded_path(sandbox)):
        if os.path.lexists(path):
            os.unlink(path)
    return sandbox.start(_make_launch(sandbox, program))


def find_loaded_path(sandbox: Sandbox) -> str:
    """Returns the file that says which connections this charon was given."""
    return os.path.join(sandbox.directory, "loaded.json")


def _has_plugin(name: str) -> bool:
    return any(os.path.exists(os.path.join(each, name)) for each in _PLUGIN_DIRECTORIES)


def _make_launch(sandbox: Sandbox, program: str) -> Launch:
    return Launch(
        argv=(program,),
        environment=(
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            (_CONFIGURATION_VARIABLE, _configuration_path(sandbox)),
        ),
        record="charon.pid",
        log_path=sandbox.log_path,
    )


def _configuration_path(sandbox: Sandbox) -> str:
    return os.path.join(sandbox.directory, "strongswan.conf")


def _write_configuration(sandbox: Sandbox, esp: str, mtu: int) -> None:
    content = _CONFIGURATION.format(
        plugins=_PLUGINS.format(libipsec="kernel-libipsec " if esp == LIBIPSEC else ""),
        socket=find_socket(sandbox),
        mtu=mtu,
        log_path=sandbox.log_path,
    )
    state_file.write(_configuration_path(sandbox), content.encode())
