"""The service of one ipsec container: keeps a charon running, loaded and connected.

    absent --start--> starting --vici answers--> connected --loaded--> running
      ^                  |                           |
      +------ended-------+-----------ended-----------+

After a restart of svc-controller the charon that is there is taken over, and
only what differs from what it was given is loaded: loaded.json in the state
directory has a keyed digest of each connection and its secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ovs.poller
import ovs.vlog

from ....lib.delta import Desired
from ....lib.errors import HostError
from ....lib.loop import now_ms as wall_clock_ms
from ...linux import netns, network, process
from ...order import Daemon
from .. import base
from . import charon
from .connections import Settings
from .loader import Loader
from .tunnels import COUNTER_INTERVAL_MS, Tunnels
from .vici import Channel, Disconnected, Reply

vlog = ovs.vlog.Vlog("ipsec")

_EVENTS = ("log", "ike-updown", "child-updown", "ike-rekey", "child-rekey", "list-sa", "list-conn")
_LIBIPSEC_LINK = "ipsec0"
_CONNECT_INTERVAL_MS = 5
_START_TIMEOUT_MS = 5000
_CONNECTING_INTERVAL_MS = 1000
_STABLE_MS = 60_000
_MAX_BACKOFF_MS = 30_000
_ERROR_AFTER_DEATHS = 4
_DEAF_LIMIT = 2
_RUNS = "charon runs and has its configuration"


class Gateway:
    """A base.Service."""

    def __init__(self, place: base.Place, esp: str, restarts: int) -> None:
        self._place = place
        self._esp = esp
        self._restarts = restarts
        self._wanted: Daemon | None = None
        self._daemon: process.Daemon | None = None
        self._channel: Channel | None = None
        self._tunnels = Tunnels()
        self._loader = Loader(place, self._tunnels)
        self._adopted = False
        self._started_ms = 0
        self._start_at_ms = 0
        self._deaths = 0
        self._deaf = 0
        self._problem: str | None = None
        self._message = ""
        self._listing = False
        self._list_at_ms = 0
        self._stopping = False
        self._known = False
        self._seen_sas = False

    # -- base.Service ------------------------------------------------------

    def apply(self, wanted: Daemon) -> None:
        assert isinstance(wanted.settings, Settings)
        if self._wanted is not None and wanted.generation != self._wanted.generation:
            self._message = ""
        self._wanted = wanted
        self._tunnels.set_connections(wanted.settings.connections)
        self._loader.want(wanted)

    def run(self, now_ms: int) -> None:
        if self._stopping:
            self._note_end(now_ms)
            if self._daemon is not None:
                self._daemon.terminate(now_ms)
            return
        try:
            self._run(now_ms)
            if self._deaths < _ERROR_AFTER_DEATHS:
                self._problem = None
        except HostError as error:
            self._problem = str(error)
            self._start_at_ms = now_ms + 1000
        except Disconnected as error:
            vlog.info(f"{self._place.container}: {error}")
            self._disconnect()
            self._deaf += 1
            if self._deaf >= _DEAF_LIMIT and self._daemon is not None:
                self._daemon.kill()

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        if self._daemon is not None:
            self._daemon.wait(poller, now_ms)
        if self._stopping:
            return
        if self._channel is not None:
            self._channel.wait(poller, now_ms)
        next_ms = self._find_next_ms()
        if next_ms is not None:
            poller.timer_wait(max(0, next_ms - now_ms))

    def status(self) -> base.Status:
        reached = self._loader.reached_generation
        if not self._known and self._problem is None:
            return base.Status(base.UNKNOWN, "")
        code = base.RUNNING if self._channel is not None and reached else base.STARTING
        message = self._message or (_RUNS if code == base.RUNNING else "charon is starting")
        if self._problem is not None:
            code, message = base.ERROR, self._problem
        elif self._loader.problem is not None:
            message = self._loader.problem
        return base.Status(code, message, reached, self._restarts)

    def rows(self) -> Sequence[Desired]:
        place = self._place
        return self._tunnels.rows(place.container, place.chassis, wall_clock_ms())

    def check(self) -> None:
        charon.bound_log(self._place)
        if self._daemon is not None and not self._daemon.in_namespace(
            netns.find_inode(self._place.container)
        ):
            self._daemon.kill()

    def stop(self) -> bool:
        if not self._stopping:
            self._stopping = True
            self._disconnect()
            self._daemon = self._daemon or charon.adopt(self._place)
        now_ms = base.clock_ms()
        self._note_end(now_ms)
        if self._daemon is not None:
            self._daemon.terminate(now_ms)
            return False
        self._daemon = next(iter(charon.find_strays(self._place)), None)
        if self._daemon is not None:
            self._daemon.terminate(now_ms)
        return self._daemon is None

    def release(self) -> None:
        self._disconnect()
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None

    # -- helpers, in the order they are called -----------------------------

    def _run(self, now_ms: int) -> None:
        if self._wanted is None:
            return
        self._note_end(now_ms)
        if self._daemon is None:
            self._start(now_ms)
        elif now_ms - self._started_ms > _STABLE_MS:
            self._deaths = 0
        if self._daemon is not None and self._channel is None:
            self._connect(now_ms)
        if self._channel is None:
            return
        self._channel.run(now_ms)
        self._loader.run(self._channel, now_ms)
        if self._loader.listed and now_ms >= self._list_at_ms:
            self._list(self._channel, now_ms)
        self._known = self._known or (self._loader.settled and self._seen_sas)
        if self._loader.settled and self._wanted.active:
            self._tunnels.set_loaded(self._loader.loaded)
            for connection, child in self._tunnels.take_due(now_ms):
                message = {"ike": connection, "child": child, "timeout": -1, "init-limits": "no"}
                self._channel.request("initiate", message, self._on_initiated(connection), now_ms)
        self._channel.run(now_ms)

    def _note_end(self, now_ms: int) -> None:
        how = self._daemon.ended() if self._daemon is not None else None
        if self._daemon is None or how is None:
            return
        self._daemon.close()
        self._daemon = None
        self._disconnect()
        self._known = True
        self._tunnels.reset(now_ms)
        self._loader.forget()
        if self._stopping:
            return
        self._restarts += 1
        self._deaths = self._deaths + 1 if now_ms - self._started_ms < _STABLE_MS else 1
        quick = self._deaths - 1
        self._start_at_ms = now_ms + (min(250 << quick, _MAX_BACKOFF_MS) if quick else 0)
        self._message = f"charon {how}; restarted"
        if self._deaths >= _ERROR_AFTER_DEATHS:
            self._problem = f"charon {how}, {self._deaths} times within a minute of its start"
        vlog.warn(f"{self._place.container}: charon {how}")

    def _start(self, now_ms: int) -> None:
        if not self._adopted:
            self._adopted = True
            self._daemon = charon.adopt(self._place)
            if self._daemon is not None:
                vlog.info(f"{self._place.container}: took over charon, pid {self._daemon.pid}")
                self._loader.remember()
                self.check()
        if self._daemon is None and now_ms >= self._start_at_ms:
            self._known = True
            self._daemon = charon.start(self._place, self._esp, self._inner_mtu)
            vlog.info(f"{self._place.container}: started charon, pid {self._daemon.pid}")
        if self._daemon is not None:
            self._started_ms = now_ms

    @property
    def _inner_mtu(self) -> int:
        assert self._wanted is not None
        assert isinstance(self._wanted.settings, Settings)
        return self._wanted.settings.inner_mtu

    def _connect(self, now_ms: int) -> None:
        try:
            channel = Channel(charon.find_socket(self._place), self._on_event)
        except OSError as error:
            if now_ms - self._started_ms > _START_TIMEOUT_MS and self._daemon is not None:
                self._daemon.kill()
                raise HostError(f"charon does not open its vici socket: {error}") from error
            return
        self._channel = channel
        if self._esp == charon.LIBIPSEC:
            network.set_mtu(self._place.container, _LIBIPSEC_LINK, self._inner_mtu)
        for event in _EVENTS:
            channel.register(event, now_ms)
        self._listing = False
        self._list_at_ms = now_ms
        self._loader.begin(channel, now_ms)
        self._list(channel, now_ms)

    def _disconnect(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self._loader.disconnected()

    def _list(self, channel: Channel, now_ms: int) -> None:
        """Asks for all SAs, unless that is asked already."""
        if self._listing:
            return
        self._listing = True
        interval_ms = _CONNECTING_INTERVAL_MS if self._tunnels.connecting else COUNTER_INTERVAL_MS
        self._list_at_ms = now_ms + interval_ms
        channel.request("list-sas", None, self._on_sas, now_ms, stream="list-sa")

    def _on_sas(self, reply: Reply) -> None:
        self._listing = False
        now_ms = base.clock_ms()
        self._tunnels.take_sas(reply.events, now_ms)
        self._seen_sas = True
        self._deaf = 0
        if self._tunnels.connecting:
            self._list_at_ms = min(self._list_at_ms, now_ms + _CONNECTING_INTERVAL_MS)

    def _on_event(self, name: str, event: Mapping[str, Any]) -> None:
        if name != "log" or self._tunnels.take_log(event):
            self._list_at_ms = 0

    def _on_initiated(self, connection: str) -> Callable[[Reply], None]:
        def note(reply: Reply) -> None:
            self._list_at_ms = 0
            if reply.error is not None and connection in self._tunnels.by_id:
                self._tunnels.note_error(connection, f"charon: {reply.error}")

        return note

    def _find_next_ms(self) -> int | None:
        if self._wanted is None:
            return None
        if self._daemon is None:
            return self._start_at_ms
        if self._channel is None:
            return base.clock_ms() + _CONNECT_INTERVAL_MS
        moments = [self._list_at_ms] if not self._listing else []
        retry_ms = self._tunnels.find_next_ms()
        if retry_ms is not None and self._wanted.active and self._loader.settled:
            moments.append(retry_ms)
        return min(moments, default=None)
