"""Where containers go: what holds of every plan, whatever it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ..northd.scheduler.model import (
    STANDBY,
    UNLIMITED,
    Avoidance,
    Candidate,
    MoveRules,
    Place,
    Request,
    Schedule,
)
from ..northd.scheduler.schedule import schedule
from .placements import (
    CONTAINERS,
    NAMES,
    Dice,
    burst,
    count_bound,
    count_most,
    dice,
    find_active,
    idle,
    is_fit,
    many,
    may_stay,
    on,
    suits,
)

Places = dict[str, tuple[Place, ...]]
Avoided = dict[tuple[str, str], Avoidance]


class Case:
    """Everything a plan is made from."""

    def __init__(
        self,
        wanted: list[Request],
        cloud: list[Candidate],
        places: Places,
        avoided: Avoided,
        settings: MoveRules,
    ) -> None:
        self.wanted = wanted
        self.cloud = cloud
        self.places = places
        self.avoided = avoided
        self.settings = settings
        self.chassis: Mapping[str, Candidate] = {each.name: each for each in cloud}

    def __repr__(self) -> str:
        parts = (self.wanted, self.cloud, self.places, self.avoided, self.settings)
        return "\n".join(["Case:", *map(repr, parts)])

    def plan(self) -> Schedule:
        return schedule(self.wanted, self.cloud, self.places, self.avoided, self.settings)

    def is_fine(self, request: Request) -> bool:
        """Whether nothing asks for a change where it serves from."""
        place = find_active(self.places, request.name)
        return (
            place is not None
            and place.failure is None
            and place.chassis in self.chassis
            and may_stay(request, self.chassis[place.chassis])
        )

    def is_lost(self, request: Request) -> bool:
        """Whether it serves from nowhere."""
        place = find_active(self.places, request.name)
        if place is None or not is_fit(self.chassis.get(place.chassis)):
            return True
        return place.failure is not None and not place.serving

    def find_where(self, request: Request) -> set[str]:
        return {place.chassis for place in self.places.get(request.name, ())}

    def find_options(self, request: Request) -> list[str]:
        """Returns the chassis that are open to it, room aside."""
        return [
            each.name
            for each in self.cloud
            if request.problem is None
            and suits(request, each)
            and each.name not in self.find_where(request)
            and (request.name, each.name) not in self.avoided
        ]

    def count_spare(self) -> Counter[str]:
        """Counts the standbys on each chassis that can be done without."""
        known = self.find_known()
        sure = {name: places for name, places in known.items() if self._serves(name)}
        standbys = {
            name: [place for place in places if place.role == STANDBY]
            for name, places in sure.items()
        }
        return count_bound(standbys, self.chassis)

    def _serves(self, name: str) -> bool:
        place = find_active(self.places, name)
        fit = place is not None and is_fit(self.chassis.get(place.chassis))
        return place is not None and fit and place.serving and place.failure is None

    def find_room(self) -> dict[str, int]:
        """Returns how many may come to each chassis, if standbys give way."""
        taken = count_bound(self.find_known(), self.chassis) - self.count_spare()
        return {
            each.name: 99 if each.limit == UNLIMITED else max(0, each.limit - taken[each.name])
            for each in self.cloud
        }

    def find_known(self) -> Places:
        return {each.name: self.places.get(each.name, ()) for each in self.wanted}


def _make_case(dice: Dice) -> Case:
    names, chassis = (sorted(dice.sample(all_, dice.randint(0, len(all_)))) for all_ in _ALL)
    places = {name: dice.draw_places(name) for name in CONTAINERS if not dice.one_in(3)}
    return Case(
        [dice.draw_request(name) for name in names],
        [dice.draw_chassis(name) for name in chassis],
        places,
        dice.draw_avoided(places),
        MoveRules(dice.one_in(3), dice.randint(1, 2)),
    )


def _make_first_case(dice: Dice) -> Case:
    """Returns one without bindings, and with much that could go anywhere."""
    case = _make_case(dice)
    cloud = [replace(each, stopping=False, drain=False) for each in case.cloud]
    return Case(case.wanted, cloud, {}, {}, MoveRules())


_ALL = (CONTAINERS, NAMES)
cases = st.builds(_make_case, dice)
first_cases = st.builds(_make_first_case, dice)


def _find_bound(plan: Schedule) -> dict[str, set[str]]:
    return {name: {where, *plan.standby.get(name, ())} for name, where in plan.chassis.items()}


# -- new places ------------------------------------------------------------


@many
@given(cases)
def test_new_places_are_on_chassis_that_suit(case: Case) -> None:
    after = _find_bound(case.plan())
    assert after.keys() <= {request.name for request in case.wanted}
    for request in case.wanted:
        for where in after.get(request.name, set()) - case.find_where(request):
            assert where in case.find_options(request)


@many
@given(cases)
def test_who_stays_is_able_or_has_nowhere_else_to_go(case: Case) -> None:
    plan = case.plan()
    for request in case.wanted:
        where = plan.chassis.get(request.name)
        if where is None:
            continue
        assert where in case.chassis
        place = next((p for p in case.places.get(request.name, ()) if p.chassis == where), None)
        failed = place is not None and place.failure is not None
        lost = not is_fit(case.chassis[where]) or (failed and not (place and place.serving))
        assert lost == (request.name in plan.lost)
        assert not (lost or failed) or place == find_active(case.places, request.name)
        assert not (lost or failed) or plan.reasons[request.name]


@many
@given(cases)
def test_limits_hold_for_new_places(case: Case) -> None:
    plan = case.plan()
    after = _find_bound(plan)
    count = Counter(where for found in after.values() for where in found)
    squeezed: Counter[str] = Counter()
    for request in case.wanted:
        for where in after.get(request.name, set()) - case.find_where(request):
            limit = case.chassis[where].limit
            if limit != UNLIMITED and count[where] > limit:
                assert count[where] == limit + 1
                squeezed[where] += _swaps(case, plan, request, where)
    assert all(number == 1 for number in squeezed.values())


def _swaps(case: Case, plan: Schedule, request: Request, where: str) -> bool:
    """Says whether it goes where another one must leave for it, and must leave where it is."""
    leaving = {
        each.name: plan.chassis[each.name]
        for each in case.wanted
        if each.name in plan.chassis and not case.is_fine(each)
    }
    others = [name for name, at in leaving.items() if at == where]
    return request.name in leaving and where in plan.standby.get(request.name, ()) and bool(others)


@many
@given(cases)
def test_no_standby_is_where_the_active_one_is(case: Case) -> None:
    plan = case.plan()
    for name, standbys in plan.standby.items():
        assert plan.chassis[name] not in standbys
        assert len(set(standbys)) == len(standbys)
        assert all(is_fit(case.chassis.get(each)) for each in standbys)


# -- everything that can be placed is placed ---------------------------------


@many
@given(cases)
def test_as_many_are_placed_as_the_limits_allow(case: Case) -> None:
    plan = case.plan()
    lost = [request for request in case.wanted if case.is_lost(request)]
    rescued = {each.name for each in lost if each.name in plan.chassis} - plan.lost
    # Who has a standby that could serve has a place; the others share what room there is.
    helped = {each.name for each in lost if _has_rescuer(case, each)}
    assert helped <= rescued
    options = {each.name: case.find_options(each) for each in lost if each.name not in helped}
    assert len(rescued - helped) >= count_most(options, case.find_room())


def _has_rescuer(case: Case, request: Request) -> bool:
    active = find_active(case.places, request.name)
    return any(
        place is not active and place.failure is None and is_fit(case.chassis.get(place.chassis))
        for place in case.places.get(request.name, ())
    )


@many
@given(cases)
def test_a_standby_gives_way_only_where_its_room_is_taken(case: Case) -> None:
    plan = case.plan()
    after = _find_bound(plan)
    count = Counter(where for found in after.values() for where in found)
    for name, gone in plan.gone.items():
        assert case._serves(name)
        assert not gone & after[name]
        assert plan.chassis[name] not in gone
        for where in gone:
            came = [each for each in case.wanted if where in after.get(each.name, set())]
            came = [each for each in came if where not in case.find_where(each)]
            assert came
            assert count[where] <= case.chassis[where].limit


@many
@given(first_cases)
def test_first_places_are_a_greatest_matching(case: Case) -> None:
    plan = case.plan()
    options = {request.name: case.find_options(request) for request in case.wanted}
    assert len(plan.chassis) == count_most(options, case.find_room())
    assert plan.causes == dict.fromkeys(plan.chassis, "its first place")


@many
@given(cases)
def test_what_has_no_place_has_a_reason_and_no_room(case: Case) -> None:
    plan = case.plan()
    # What goes with this plan takes room until it is gone.
    taken = count_bound(case.find_known(), case.chassis)
    for request in case.wanted:
        after = _find_bound(plan).get(request.name, set())
        taken.update(after - case.find_where(request))
    spare = case.count_spare()
    spare.subtract(where for gone in plan.gone.values() for where in gone)
    taken.subtract(where for gone in plan.gone.values() for where in gone)
    for request in case.wanted:
        if request.name in plan.chassis and request.name not in plan.lost:
            continue
        assert plan.reasons[request.name]
        for where in case.find_options(request):
            limit = case.chassis[where].limit
            assert limit != UNLIMITED
            assert taken[where] - spare[where] >= limit


def test_who_could_go_anywhere_makes_room_for_who_could_not() -> None:
    cloud = idle(1, 1, 1, limit=1)
    wanted = [
        Request("vpn-a", "ipsec", chassis_group=frozenset({"hv1", "hv2"})),
        Request("vpn-b", "ipsec", chassis_group=frozenset({"hv1"})),
        Request("vpn-c", "ipsec"),
    ]
    plan = schedule(wanted, cloud, {})
    assert plan.chassis == {"vpn-a": "hv2", "vpn-b": "hv1", "vpn-c": "hv3"}


def test_who_has_a_standby_leaves_the_last_room_to_who_has_none() -> None:
    cloud = idle(1, 1, 1, limit=1)
    cloud[0] = replace(cloud[0], alive=False)
    coming = Place("hv2", STANDBY, ready=False, serving=False)
    plan = schedule(burst(2), cloud, {"vpn-00000": (Place("hv1"), coming)})
    assert plan.chassis == {"vpn-00000": "hv2", "vpn-00001": "hv3"}


def test_one_that_failed_and_stays_keeps_its_room() -> None:
    failed = Place("hv1", serving=False, failure="no charon")
    wanted = burst(2)
    avoided = {("vpn-00000", "hv1"): Avoidance("no charon", 60_000)}
    plan = schedule(wanted, idle(1, limit=1), {"vpn-00000": (failed,)}, avoided)
    assert plan.chassis == {"vpn-00000": "hv1"}
    assert plan.lost == {"vpn-00000"}
    assert plan.reasons["vpn-00001"] == "no chassis can run it: the only chassis is full (limit 1)"


# -- what is fine -------------------------------------------------------------


@many
@given(cases)
def test_what_is_fine_stays(case: Case) -> None:
    case.settings = MoveRules(drain_moves=1)
    plan = case.plan()
    for request in case.wanted:
        place = find_active(case.places, request.name)
        if place is None or not case.is_fine(request) or request.migrate_chassis is not None:
            continue
        assert plan.chassis[request.name] == place.chassis
        assert request.name not in plan.causes
        new = _find_bound(plan)[request.name] - case.find_where(request)
        assert not new or (request.standby and place.serving)
        if not request.standby:
            assert request.name not in plan.reasons


@many
@given(cases)
def test_the_order_of_rows_does_not_matter(case: Case) -> None:
    other = Case(
        case.wanted[::-1],
        case.cloud[::-1],
        {name: places[::-1] for name, places in reversed(case.places.items())},
        dict(reversed(case.avoided.items())),
        case.settings,
    )
    assert other.plan() == case.plan()


@many
@given(cases)
def test_a_plan_that_was_carried_out_comes_to_rest(case: Case) -> None:
    rounds = [case.plan()]
    for _ in range(4 * len(case.wanted) + 4):
        _carry_out(case, rounds[-1])
        rounds.append(case.plan())
        if rounds[-1].chassis == rounds[-2].chassis and rounds[-1].standby == rounds[-2].standby:
            break
    assert rounds[-1].chassis == rounds[-2].chassis
    assert rounds[-1].standby == rounds[-2].standby
    _carry_out(case, rounds[-1])
    assert case.plan() == rounds[-1]
    assert not rounds[-1].causes


def _carry_out(case: Case, plan: Schedule) -> None:
    """Makes the bindings what 'plan' says, all of them well but those that failed and stay."""
    failed = {
        (name, place.chassis): place
        for name, places in case.places.items()
        for place in places
        if place.failure is not None
    }
    case.places = {}
    for name, where in plan.chassis.items():
        found = [failed.get((name, where), Place(where))]
        found += [Place(each, STANDBY, serving=False) for each in plan.standby.get(name, ())]
        case.places[name] = tuple(found)


@many
@given(cases)
def test_who_has_to_stay_where_it_must_not_be_keeps_its_standbys(case: Case) -> None:
    plan = case.plan()
    for request in case.wanted:
        if "but no chassis can run it" not in plan.reasons.get(request.name, ""):
            continue
        usable = [
            place.chassis
            for place in case.places[request.name]
            if place.role == STANDBY
            and place.failure is None
            and is_fit(case.chassis.get(place.chassis))
            and place.chassis not in plan.gone.get(request.name, ())
        ]
        kept = set(plan.standby.get(request.name, ())) & set(usable)
        over = case.settings.enforce_limit
        assert over or len(kept) >= min(request.standby, len(usable))


# -- order of need --------------------------------------------------------------


@many
@given(cases)
def test_pinned_containers_get_their_place_first(case: Case) -> None:
    plan = case.plan()
    for request in case.wanted:
        pin = request.requested_chassis
        if request.name in plan.chassis or pin not in case.find_options(request):
            continue
        moved_in = [
            other
            for other in case.wanted
            if pin in _find_bound(plan).get(other.name, set()) - case.find_where(other)
        ]
        assert all(other.requested_chassis == pin for other in moved_in)


# -- limits that are lowered -------------------------------------------------


def test_decisions_of_this_plan_count_against_limits() -> None:
    plan = schedule(burst(7, "least"), idle(1, 1, limit=3), {})
    assert Counter(plan.chassis.values()) == {"hv1": 3, "hv2": 3}
    assert plan.reasons == {"vpn-00006": "no chassis can run it: both chassis are full (limit 3)"}


def test_standbys_count_against_limits() -> None:
    wanted = burst(2, standby=1)
    places = {"vpn-00000": on("hv1", "hv2"), "vpn-00001": on("hv3")}
    plan = schedule(wanted, idle(1, 1, 1, limit=1), places)
    assert plan.standby == {"vpn-00000": ("hv2",)}
    reason = (
        "it has too few standbys: no other chassis can hold it: both chassis are full (limit 1)"
    )
    assert plan.reasons == {"vpn-00001": reason}


def test_limit_0_takes_none_and_evicts_none() -> None:
    places = {f"vpn-{number:05}": on("hv1") for number in range(3)}
    plan = schedule(burst(4), idle(1, limit=0), places)
    assert plan.chassis == {name: "hv1" for name in places}
    assert plan.reasons == {
        "vpn-00003": "no chassis can run it: the only chassis is full (limit 0)"
    }


def test_changed_weights_move_nothing() -> None:
    wanted = burst(10)
    before = schedule(wanted, idle(1, 1), {}).chassis
    places = {name: on(where) for name, where in before.items()}
    assert schedule(wanted, idle(1, 100), places) == Schedule(before)
