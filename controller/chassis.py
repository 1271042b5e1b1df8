"""The Chassis and Chassis_Private rows of this host, and its key pair.

The heartbeat is a counter in a row that nobody but svc-northd and this chassis
monitors.  'incarnation' tells a restart from a pause.
"""

from __future__ import annotations

import os
import random
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import ovs.vlog

from ..lib import dirs, sb, sealing
from ..lib.delta import Desired
from ..lib.errors import HostError
from ..services.api.host import HostHalf, Probe
from .identity import Identity

vlog = ovs.vlog.Vlog("chassis")

KEY_FILE = "chassis.key"
PROBE_INTERVAL_MS = 60_000
PROBE_AGAIN_MS = 5_000
DEFAULT_HEARTBEAT_MS = 1000
_LEAST_HEARTBEAT_MS = 100
# Chassis that were started together must not beat together.
_JITTER = 0.1


def load_private_key() -> bytes:
    """Returns this host's private key, which is made at the first start (0600)."""
    path = os.path.join(dirs.SYSCONFDIR, KEY_FILE)
    try:
        with open(path, "rb") as file:
            key = file.read()
    except FileNotFoundError:
        key = _try_to_make_private_key(path)
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error}") from error
    if len(key) != 32:
        raise HostError(f"{path} is not a private key of 32 bytes; remove it to make a new one")
    return key


def _try_to_make_private_key(path: str) -> bytes:
    try:
        return _make_private_key(path)
    except OSError as error:
        raise HostError(f"{path} cannot be made: {error}") from error


def _make_private_key(path: str) -> bytes:
    """Writes a new key beside 'path' and links it there; the first of two makers wins."""
    os.makedirs(dirs.SYSCONFDIR, mode=0o755, exist_ok=True)
    new = f"{path}.{os.getpid()}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(sealing.make_private_key())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
        vlog.info(f"made the private key {path}")
    except FileExistsError:
        pass
    finally:
        os.unlink(new)
    with open(path, "rb") as file:
        return file.read()


@dataclass(slots=True)
class Registration:
    """What this process tells about its chassis.

    'load' is to be set when run() said that it beat, so that it goes along
    with the heartbeat and with nothing else.
    """

    types: Mapping[str, HostHalf]
    public_key: str
    incarnation: str = field(default_factory=lambda: uuid.uuid4().hex)
    heartbeat: int = 0
    heartbeat_timestamp: int = 0
    probes: dict[str, Probe] = field(default_factory=dict)
    stopping: bool = False
    ovn_problem: str = ""
    load: Mapping[str, str] = field(default_factory=dict)
    _probe_at_ms: int = 0
    _beat_at_ms: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.incarnation)

    def run(self, now_ms: int, wall_ms: int, interval_ms: int) -> bool:
        """Probes and beats when it is time to; returns whether it beat."""
        if now_ms >= self._probe_at_ms:
            self.probe()
            well = all(each.problem is None for each in self.probes.values())
            self._probe_at_ms = now_ms + (PROBE_INTERVAL_MS if well else PROBE_AGAIN_MS)
        if now_ms < self._beat_at_ms:
            return False
        share = self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._beat_at_ms = now_ms + round(interval_ms * share)
        self.heartbeat += 1
        self.heartbeat_timestamp = wall_ms
        return True

    def find_next_ms(self) -> int:
        """Returns when run() has something to do again."""
        return min(self._beat_at_ms, self._probe_at_ms)

    def probe(self) -> None:
        """Asks each service type whether this host can run it."""
        for name, service_type in self.types.items():
            probe = _probe(service_type)
            before = self.probes.get(name)
            if before is None or before.problem != probe.problem:
                vlog.info(f"service type {name}: {probe.problem or 'can run here'}")
            self.probes[name] = probe

    def rows(self, identity: Identity, nb_cfg: tuple[int, int]) -> list[Desired]:
        """Returns both rows; 'nb_cfg' is the number and the time it was reached at."""
        name = identity.chassis
        problems = {key: each.problem for key, each in self.probes.items() if each.problem}
        facts = {key: value for each in self.probes.values() for key, value in each.facts.items()}
        public = {
            "name": name,
            "hostname": socket.gethostname(),
            "service_types": tuple(sorted(self.probes.keys() - problems.keys())),
            "service_problems": problems,
            "bridge_mappings": identity.bridge_mappings,
            "public_key": self.public_key,
            "other_config": {**dict(identity.labels), **facts},
        }
        private = {
            "name": name,
            "incarnation": self.incarnation,
            "heartbeat": self.heartbeat,
            "heartbeat_timestamp": self.heartbeat_timestamp,
            "nb_cfg": nb_cfg[0],
            "nb_cfg_timestamp": nb_cfg[1],
            "stopping": self.stopping,
            "ovn_problem": self.ovn_problem,
            "load": dict(self.load),
        }
        return [
            Desired(sb.Chassis.TABLE, name, public),
            Desired(sb.ChassisPrivate.TABLE, name, private),
        ]


def _probe(service_type: HostHalf) -> Probe:
    try:
        return service_type.probe()
    except Exception as error:  # somebody else's plug-in must not end the heartbeat
        return Probe(f"it cannot be probed: {error!r}")


def find_heartbeat_interval_ms(options: Mapping[str, str]) -> int:
    """Returns SB_Global:options:heartbeat-interval, or the default if that is no number."""
    value = options.get("heartbeat-interval", "")
    interval_ms = int(value) if value.isdecimal() else DEFAULT_HEARTBEAT_MS
    return max(interval_ms, _LEAST_HEARTBEAT_MS)
