"""What svc-controller waits for, in words: before it may change its host, or acknowledges.

Pure, but for the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import ovs.poller
import ovs.vlog

vlog = ovs.vlog.Vlog("readiness")

# A start and a reconnection take less.
PATIENCE_MS = 5000


@dataclass(frozen=True, slots=True)
class Situation:
    """How far svc-controller has come; 'chassis' and 'remote' are empty without an identity."""

    chassis: str = ""
    remote: str = ""
    switch_synced: bool = False
    synced: bool = False
    has_name: bool = False


def find_obstacle(now: Situation) -> str:
    """Returns what is waited for, "" for nothing."""
    if not now.switch_synced:
        return "the local Open_vSwitch was not read yet"
    if not now.chassis:
        return "the local Open_vSwitch does not say who this chassis is"
    if not now.synced:
        return f"the southbound {now.remote} was not read yet"
    return "" if now.has_name else f"the southbound has not given the name {now.chassis} yet"


@dataclass(frozen=True, slots=True)
class Causes:
    """Why it has not come further, each in a sentence or ""."""

    switch: str = ""
    identity: str = ""
    southbound: str = ""
    rival: str = ""
    refusal: str = ""


def explain_obstacle(now: Situation, causes: Causes) -> str:
    """Returns what is waited for and why, "" for nothing."""
    obstacle = find_obstacle(now)
    cause = causes.refusal or causes.rival
    if not now.switch_synced:
        cause = causes.switch
    elif not now.chassis:
        return causes.identity or obstacle
    elif causes.southbound:
        # What it refused or said of others was before; it can be mended once it is reached.
        obstacle = obstacle if not now.synced else f"the southbound {now.remote} is not connected"
        cause = causes.southbound.removeprefix(f"{now.remote}: ")
    elif not obstacle:
        return ""
    return f"{obstacle}: {cause}" if cause else obstacle


@dataclass(slots=True)
class Waiting:
    """Tells in the log what is waited for, once it takes long, and when that is over.

    'what' is what does not happen meanwhile.
    """

    what: str
    _obstacle: str = ""
    _since_ms: int = 0
    _told: str = ""

    def note(self, obstacle: str, now_ms: int) -> None:
        """Takes what is waited for, "" for nothing."""
        if obstacle != self._obstacle:
            self._obstacle, self._since_ms = obstacle, now_ms
        if obstacle == self._told or (obstacle and now_ms < self._since_ms + PATIENCE_MS):
            return
        self._told = obstacle
        vlog.info(f"{self.what}: {obstacle or 'no more'}")

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for when note() has something to tell."""
        if self._obstacle != self._told:
            poller.timer_wait(max(0, self._since_ms + PATIENCE_MS - now_ms))
