"""The charon of a container: what it needs of the host, its files, how it is started.

Nothing under /etc is read, so that what the distribution configures for an
IPsec of the host itself has no part in a container.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from ....lib.errors import HostError
from ...linux import process
from ..base import Place

PROGRAM = "charon-systemd"
KERNEL = "kernel"
LIBIPSEC = "libipsec"

_PLUGIN_DIRECTORIES = ("/usr/lib/ipsec/plugins", "/usr/lib64/strongswan/plugins")
_MAX_LOG_BYTES = 8 << 20
_DIGEST_KEY_BYTES = 32
# Far below the time after which a chassis is taken for dead.
_PROBE_TIMEOUT_S = 0.5

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


def has_kernel_esp() -> bool | None:
    """Returns whether the kernel takes an ESP state; None if it did not say in time.

    Asked in a namespace of its own.
    """
    state = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode tunnel"
    algorithms = f"enc cbc(aes) 0x{'00' * 16} auth hmac(sha256) 0x{'00' * 32}"
    command = ["unshare", "--net", "ip", "xfrm", "state", "add"]
    try:
        done = subprocess.run(
            [*command, *state.split(), *algorithms.split()],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError:
        return False
    return done.returncode == 0


def find_socket(place: Place) -> str:
    """Returns the path of the vici socket."""
    return os.path.join(place.directory, "charon.vici")


def adopt(place: Place) -> process.Daemon | None:
    """Returns the charon that runs for 'place' already."""
    found = process.adopt(_record_path(place), PROGRAM)
    if found is not None:
        return found
    strays = find_strays(place)
    for other in strays[1:]:
        other.kill()
        other.close()
    return strays[0] if strays else None


def find_strays(place: Place) -> list[process.Daemon]:
    """Returns each charon that was started with the configuration of 'place'."""
    return process.find_strays(PROGRAM, f"STRONGSWAN_CONF={_configuration_path(place)}")


def start(place: Place, esp: str, mtu: int) -> process.Daemon:
    """Starts a charon that has no connection yet; raises HostError."""
    program = find_program()
    if program is None:
        raise HostError("charon-systemd is not installed (Debian package charon-systemd)")
    _write_configuration(place, esp, mtu)
    for path in (find_socket(place), find_loaded_path(place)):
        if os.path.lexists(path):
            os.unlink(path)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "STRONGSWAN_CONF": _configuration_path(place),
    }
    launch = process.Launch(
        argv=[program],
        environment=environment,
        namespace=place.container,
        log_path=place.log_path,
        record_path=_record_path(place),
    )
    return process.start(launch)


def find_loaded_path(place: Place) -> str:
    """Returns the file that says which connections this charon was given."""
    return os.path.join(place.directory, "loaded.json")


def load_digest_key(place: Place) -> bytes:
    """Returns the random key of the digests in the file of find_loaded_path().

    It goes with the container, and is none of the chassis' so that SAs outlive a new one.
    """
    path = os.path.join(place.directory, "digest.key")
    try:
        with open(path, "rb") as file:
            key = file.read()
    except FileNotFoundError:
        key = b""
    if len(key) != _DIGEST_KEY_BYTES:
        key = os.urandom(_DIGEST_KEY_BYTES)
        descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
        os.replace(f"{path}.new", path)
    return key


def bound_log(place: Place) -> None:
    """Empties the log file when it is too large; charon appends, so that it goes on."""
    try:
        if os.stat(place.log_path).st_size > _MAX_LOG_BYTES:
            os.truncate(place.log_path, 0)
    except FileNotFoundError:
        pass


def _has_plugin(name: str) -> bool:
    return any(os.path.exists(os.path.join(each, name)) for each in _PLUGIN_DIRECTORIES)


def _record_path(place: Place) -> str:
    return os.path.join(place.directory, "charon.pid")


def _configuration_path(place: Place) -> str:
    return os.path.join(place.directory, "strongswan.conf")


def _write_configuration(place: Place, esp: str, mtu: int) -> None:
    content = _CONFIGURATION.format(
        plugins=_PLUGINS.format(libipsec="kernel-libipsec " if esp == LIBIPSEC else ""),
        socket=find_socket(place),
        mtu=mtu,
        log_path=place.log_path,
    )
    with open(_configuration_path(place), "w", encoding="utf-8") as file:
        file.write(content)
