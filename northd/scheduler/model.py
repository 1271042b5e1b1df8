"""What the scheduler is asked, what it knows, and what it answers; see schedule.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...lib.group import DEFAULT_POLICY
from .mistakes import Mistake

UNLIMITED = -1
ACTIVE = "active"
STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chassis as the scheduler sees it.

    'weight' is its share (0 takes nothing), 'limit' the most containers it
    takes (UNLIMITED for no limit).  'service_problems' says of a type that it
    could run why it cannot, 'ovn_problem' why no port of OVN can be served
    there.  'labels' name its failure domains by key.
    """

    name: str
    service_types: frozenset[str] = frozenset()
    service_problems: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1
    limit: int = UNLIMITED
    drain: bool = False
    alive: bool = True
    has_key: bool = True
    stopping: bool = False
    ovn_problem: str = ""
    overloaded: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A container that wants a place.

    'chassis_group' holds the names of the chassis it may use, 'port_chassis'
    those that hold a port of its port group that is up, 'bound_chassis' also
    those whose port is not, where it may stay; None for any.
    'requested_chassis' pins it to one, 'migrate_chassis' asks for one move
    ("" for a request that names no chassis).
    'needs' are facts (Candidate.labels) that the chassis must tell.
    'spread' is a key of Candidate.labels, 'standby' the number of chassis that
    hold it ready beside the one that serves.  With a 'problem' it gets no new
    place.
    """

    name: str
    service_type: str
    group: str = ""
    policy: str = DEFAULT_POLICY
    problem: str | None = None
    chassis_group: frozenset[str] | None = None
    port_chassis: frozenset[str] | None = None
    bound_chassis: frozenset[str] | None = None
    requested_chassis: str | None = None
    migrate_chassis: str | None = None
    spread: str | None = None
    standby: int = 0
    needs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A chassis that a container is bound to.

    'ready': its programs run there as they should.  'serving': so do they, and
    OVN has given the port to this chassis.  'failure' says why it cannot go on
    there, once it has had its time.
    """

    chassis: str
    role: str = ACTIVE
    ready: bool = True
    serving: bool = True
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Avoidance:
    """A container failed on a chassis: the columns of an Avoided_Chassis row beside its key.

    Times in ms of svc-northd's wall clock.  'orders' are those under which it failed.
    """

    reason: str
    retry_at: int = 0
    failures: int = 1
    since: int = 0
    incarnation: str = ""
    weight: int = 1
    orders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MoveRules:
    """What the operator says of all moves; 'held' is that OVN could follow none."""

    enforce_limit: bool = False
    drain_moves: int = 2
    held: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where each container of a plan is from here on.

    'chassis' is the one that serves it, 'standby' are those that hold it ready
    beside; both by container.  'reasons' are sentences on those that have no
    place or are not where they should be, 'causes' on those that serve from
    another chassis than before, 'migrations' on requests to migrate that are
    over.  'lost' are those that stay where nothing serves, since they have
    nowhere else to go.  'gone' are the chassis on which standbys of a container gave
    way to another one, whether or not the plan is made for that container.
    'mistakes' are of ours, by the container that no plan can be made for, whose
    place is not known.
    """

    chassis: Mapping[str, str]
    standby: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)
    migrations: Mapping[str, str] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    gone: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
