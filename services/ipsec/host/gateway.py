"""The service of one ipsec container: keeps a charon running, loaded and connected.

    absent --start--> starting --vici answers--> connected --loaded--> running
      ^                  |                           |
      +------ended-------+-----------ended-----------+

After a restart of svc-controller the charon that is there is taken over, and
only what differs from what it was given is loaded: loaded.json in the state
directory has a keyed digest of each connection and its secret.

charon itself begins no tunnel; the gateway does, and only while the container
is active and OVN has installed its port.  A standby is given the same, so that
a change of role loads nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ovs.poller
import ovs.vlog

from ....lib.errors import HostError
from ....lib.loop import monotonic_ms
from ...api import host
from ...api.item import Item
from ...api.restarts import Restarts
from . import charon
from .children import find_connection_id
from .connections import Settings
from .ike import find_name, format_initiation, format_termination
from .loader import Loader
from .names import Names
from .tunnels import Initiation, Tunnels
from .vici import Channel, Disconnected, Reply

vlog = ovs.vlog.Vlog("ipsec")

_EVENTS = ("log", "ike-updown", "child-updown", "ike-rekey", "child-rekey", "list-sa", "list-conn")
_LIBIPSEC_LINK = "ipsec0"
_CONNECT_INTERVAL_MS = 5
_START_TIMEOUT_MS = 5000
_CONNECTING_INTERVAL_MS = 1000
# An idle charon is asked so often.  One that hangs is met by the next question at the latest
# and is given vici.TIMEOUT_MS twice, so that it is begun anew within 18 s.  Where something goes
# on a question is under way anyhow.
_ASK_INTERVAL_MS = 10_000
# Charons that were started together must not be asked together for ever; but some at one moment
# cost one wake-up instead of one each.
_JITTER = 0.2
_MOMENTS_MS = 500
_DEAF_LIMIT = 2
_RUNS = "charon runs and has its configuration"
_STANDS_BY = "ready; stands by"


class Gateway:
    """A services.api Service."""

    def __init__(self, sandbox: host.Sandbox, esp: str, restarts: int) -> None:
        self._sandbox = sandbox
        self._esp = esp
        self._restarts = Restarts(restarts)
        self._wanted: host.Workload | None = None
        self._installed = False
        self._daemon: host.Process | None = None
        self._channel: Channel | None = None
        self._tunnels = Tunnels(libipsec=esp == charon.LIBIPSEC)
        self._names = Names()
        self._loader = Loader(sandbox, self._tunnels)
        self._adopted = False
        self._replacing = False
        self._deaf = 0
        # Since when there is no connection with the charon that is there.
        self._apart_ms = 0
        self._problem: str | None = None
        self._message = ""
        self._lists = 0
        self._listing = 0
        self._list_at_ms = 0
        self._ask_at_ms = 0
        self._stopping = False
        self._known = False
        self._seen_sas = False

    # -- Service ----------------------------------------------------------

    def apply(self, wanted: host.Workload) -> None:
        assert isinstance(wanted.settings, Settings)
        if self._wanted is not None and wanted.generation != self._wanted.generation:
            self._message = ""
        self._wanted = wanted
        self._tunnels.set_connections(wanted.settings.connections)
        connections = wanted.settings.connections
        self._names.want((find_name(each), each.name) for each in connections)
        self._loader.want(wanted)

    def set_installed(self, installed: bool) -> None:
        if installed and not self._installed:
            self._tunnels.hasten()
        self._installed = installed

    def run(self, now_ms: int) -> None:
        if self._stopping:
            self._note_end(now_ms)
            if self._daemon is not None:
                self._daemon.terminate(now_ms)
            return
        try:
            self._run(now_ms)
        except HostError as error:
            self._problem = str(error)
            self._restarts.start_at_ms = now_ms + 1000
        except Disconnected as error:
            vlog.info(f"{self._sandbox.container}: {error}")
            self._disconnect(now_ms)
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

    def status(self) -> host.Status:
        reached = self._loader.reached_generation
        problem = self._problem or self._restarts.problem
        if not self._known and problem is None:
            return host.Status(host.UNKNOWN, "")
        runs = _RUNS if self._active else _STANDS_BY
        well = self._channel is not None and self._loader.reached
        code = host.RUNNING if well else host.STARTING
        message = self._message or (runs if code == host.RUNNING else "charon is starting")
        if problem is not None:
            code, message = host.ERROR, problem
        elif self._loader.problem is not None:
            message = self._loader.problem
        return host.Status(code, message, reached, self._restarts.count)

    def items(self) -> Sequence[Item]:
        return self._tunnels.items(self._installed) if self._active else ()

    def metrics(self) -> Mapping[str, float]:
        return {}

    def check(self) -> None:
        self._sandbox.bound_log()
        if self._daemon is not None and not self._daemon.in_namespace(
            self._sandbox.find_namespace()
        ):
            self._replacing = True
            self._daemon.kill()

    def stop(self) -> bool:
        now_ms = monotonic_ms()
        if not self._stopping:
            self._stopping = True
            self._disconnect(now_ms)
            self._daemon = self._daemon or charon.adopt(self._sandbox)
        self._note_end(now_ms)
        if self._daemon is not None:
            self._daemon.terminate(now_ms)
            return False
        self._daemon = charon.adopt(self._sandbox)
        if self._daemon is not None:
            self._daemon.terminate(now_ms)
        return self._daemon is None

    def release(self) -> None:
        self._disconnect(monotonic_ms())
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
        else:
            self._restarts.note_running(now_ms)
        if self._daemon is not None and self._channel is None:
            self._connect(now_ms)
        if self._channel is None:
            return
        self._channel.run(now_ms)
        self._loader.run(self._channel, now_ms)
        if self._loader.listed and now_ms >= self._list_at_ms:
            self._list(self._channel, now_ms)
        self._known = self._known or (self._loader.settled and self._seen_sas)
        if self._may_initiate:
            self._initiate(self._channel, now_ms)
        elif not self._active:
            self._drop(self._channel, now_ms)
        if self._channel.idle and now_ms >= self._ask_at_ms:
            self._ask_at_ms = _find_moment_ms(now_ms, _ASK_INTERVAL_MS)
            self._channel.request("version", None, _heard, now_ms)
        # Not run(): an answer that came by now would be taken, and what follows from it left
        # until something else wakes this service.
        self._channel.send()

    @property
    def _active(self) -> bool:
        return self._wanted is not None and self._wanted.active

    @property
    def _may_initiate(self) -> bool:
        return self._active and self._installed and self._loader.settled

    def _initiate(self, channel: Channel, now_ms: int) -> None:
        self._tunnels.set_loaded(self._loader.loaded)
        for due in self._tunnels.take_due(now_ms):
            if due.anew:
                # Answered before anything is begun, so that nothing is begun in the old IKE_SA.
                message = format_termination(due.ike)
                channel.request("terminate", message, self._begin(channel, due), now_ms)
            else:
                self._begin(channel, due)(Reply())
        replaced = self._tunnels.probes.take_due(now_ms)
        if replaced:
            self._list(channel, now_ms)  # what charon forgets of them as it replaces them
        for child in replaced:
            channel.request("rekey", {"child-id": child}, _heard, now_ms)

    def _begin(self, channel: Channel, due: Initiation) -> Callable[[Reply], None]:
        def begin(_reply: Reply) -> None:
            if not self._active:
                return  # its role changed before charon answered
            for child in due.children:
                message = format_initiation(due.ike, child)
                channel.request("initiate", message, self._on_initiated(child), monotonic_ms())

        return begin

    def _drop(self, channel: Channel, now_ms: int) -> None:
        """Ends what a standby has of the time when it was active.

        While it still has the port, traffic goes on through what is up; what
        charon is only beginning, as dpd_action makes it, is ended at once.
        Without the port all ends.

        The DELETE that charon sends for each IKE_SA leaves the namespace and
        ends there, since OVN takes the port's flows away as it tells.  One that
        slips through harms nobody: it is protected by the keys of the old
        IKE_SA and ends only that and its child SAs, through which no packet
        comes any more; the IKE_SA with the other chassis is another one, and at
        its INITIAL_CONTACT the peer drops the old one by itself (RFC 7296,
        2.4).  Nothing is begun anew: charon destroys the IKE_SA at once
        ('force'), so neither its retransmissions nor dpd_action come.
        """
        dropped = self._tunnels.take_dropped(self._installed, now_ms)
        for name in dropped:
            channel.request("terminate", format_termination(name), _heard, now_ms)
        if dropped:
            vlog.info(f"{self._sandbox.container}: stands by, ended its tunnels")
            self._listing = 0
            self._list(channel, now_ms)

    def _note_end(self, now_ms: int) -> None:
        how = self._daemon.ended() if self._daemon is not None else None
        if self._daemon is None or how is None:
            return
        self._daemon.close()
        self._daemon = None
        self._deaf = 0
        self._disconnect(now_ms)
        self._known = True
        self._tunnels.reset(now_ms)
        self._loader.forget()
        if self._stopping:
            return
        if self._replacing:  # it did not end by itself
            self._replacing = False
            vlog.info(f"{self._sandbox.container}: charon was not in the container's namespace")
            return
        self._restarts.note_end(self._problem or f"charon {how}", now_ms)
        if self._restarts.problem is not None:
            self._problem = None  # it says that, and what comes next
        self._message = f"charon {how}; restarted"
        vlog.warn(f"{self._sandbox.container}: charon {how}")

    def _start(self, now_ms: int) -> None:
        if not self._adopted:
            self._adopted = True
            self._daemon = charon.adopt(self._sandbox)
            if self._daemon is not None:
                vlog.info(f"{self._sandbox.container}: took over charon, pid {self._daemon.pid}")
                self._loader.remember()
                self.check()
        if self._daemon is None and now_ms >= self._restarts.start_at_ms:
            self._known = True
            self._daemon = charon.start(self._sandbox, self._esp, self._inner_mtu)
            vlog.info(f"{self._sandbox.container}: started charon, pid {self._daemon.pid}")
        if self._daemon is not None:
            self._apart_ms = now_ms
            self._restarts.note_start(now_ms)

    @property
    def _inner_mtu(self) -> int:
        assert self._wanted is not None
        assert isinstance(self._wanted.settings, Settings)
        return self._wanted.settings.inner_mtu

    def _connect(self, now_ms: int) -> None:
        try:
            self._names.forget()
            channel = Channel(charon.find_socket(self._sandbox), self._on_event, self._names)
        except OSError as error:
            # One that is just ending has closed its socket already.
            late = now_ms > self._apart_ms + _START_TIMEOUT_MS
            if late and self._daemon is not None:
                self._daemon.kill()
                raise HostError(f"charon does not open its vici socket: {error}") from error
            return
        self._channel = channel
        for event in _EVENTS:
            channel.register(event, now_ms)
        self._listing = 0
        self._list_at_ms = now_ms
        self._loader.begin(channel, now_ms)
        self._list(channel, now_ms)
        if self._esp == charon.LIBIPSEC:
            self._sandbox.set_mtu(_LIBIPSEC_LINK, self._inner_mtu)

    def _disconnect(self, now_ms: int) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self._apart_ms = now_ms
            self._loader.disconnected()

    def _list(self, channel: Channel, now_ms: int) -> None:
        """Asks for all SAs, unless that is asked already."""
        if self._listing:
            return
        self._lists += 1
        self._listing = self._lists
        self._list_at_ms = self._find_next_list_ms(now_ms)
        self._ask_at_ms = _find_moment_ms(now_ms, _ASK_INTERVAL_MS)
        channel.request("list-sas", None, self._on_sas(self._listing), now_ms, stream="list-sa")

    def _find_next_list_ms(self, now_ms: int) -> int:
        """Returns until when SAs may stay as they were seen; what charon tells of comes at once."""
        if self._tunnels.connecting:
            return now_ms + _CONNECTING_INTERVAL_MS
        return _find_moment_ms(now_ms, self._tunnels.counter_interval_ms)

    def _on_sas(self, number: int) -> Callable[[Reply], None]:
        def note(reply: Reply) -> None:
            if number != self._listing:
                return  # of before SAs were dropped
            self._listing = 0
            now_ms = monotonic_ms()
            self._tunnels.take_sas(reply.events, now_ms)
            self._seen_sas = True
            self._deaf = 0
            self._problem = None
            self._list_at_ms = min(self._list_at_ms, self._find_next_list_ms(now_ms))

        return note

    def _on_event(self, name: str, event: Mapping[str, Any]) -> None:
        if name != "log":
            self._tunnels.take_change(event)
        if name != "log" or self._tunnels.take_log(event):
            self._list_at_ms = 0

    def _on_initiated(self, child: str) -> Callable[[Reply], None]:
        def note(reply: Reply) -> None:
            self._list_at_ms = 0
            if reply.error is not None:
                self._tunnels.note_error(find_connection_id(child), f"charon: {reply.error}")

        return note

    def _find_next_ms(self) -> int | None:
        if self._wanted is None:
            return None
        if self._daemon is None:
            return self._restarts.start_at_ms
        if self._channel is None:
            return monotonic_ms() + _CONNECT_INTERVAL_MS
        moments = [self._list_at_ms] if not self._listing else []
        if self._channel.idle:
            moments.append(self._ask_at_ms)
        if self._may_initiate:
            next_ms = (self._tunnels.find_next_ms(), self._tunnels.probes.find_next_ms())
            moments += [each for each in next_ms if each is not None]
        return min(moments, default=None)


def _find_moment_ms(now_ms: int, interval_ms: int) -> int:
    """Returns a moment after 'interval_ms' that others have too."""
    moment_ms = now_ms + round(interval_ms * random.uniform(1, 1 + _JITTER))
    return -(-moment_ms // _MOMENTS_MS) * _MOMENTS_MS


def _heard(_reply: Reply) -> None:
    """Takes an answer that says no more than that charon is there."""
