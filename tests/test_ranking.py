"""The order in which a policy prefers chassis, kept while load grows, is the order found anew."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given

from ..northd.scheduler.load import Load
from ..northd.scheduler.model import Candidate, Request
from ..northd.scheduler.policies import rank
from ..northd.scheduler.ranking import Ranking
from .placements import IPSEC, Dice, dice, many


def _draw_cloud(dice: Dice) -> list[Candidate]:
    return [
        Candidate(
            f"hv{number}",
            IPSEC,
            weight=dice.randint(1, 3),
            limit=dice.some(-1, 0, 2, 4),
            labels=dice.some({}, {"rack": "a"}, {"rack": "b"}),
        )
        for number in range(dice.randint(0, 6))
    ]


@many
@given(dice)
def test_the_first_is_the_one_that_a_look_at_all_finds(dice: Dice) -> None:
    cloud, load = _draw_cloud(dice), Load()
    policy, spread = dice.some("least", "weighted", "load"), dice.some(None, "rack")
    request = Request("vpn-1", "ipsec", group="gold", policy=policy, spread=spread)
    ranking = Ranking(request, cloud, load)
    for _ in range(20):
        closed = {each.name for each in cloud if dice.one_in(4)}
        open_to = [each for each in cloud if each.name not in closed and not load.is_full(each)]
        best = min(open_to, key=lambda each: rank(request, each, load), default=None)
        assert ranking.find_best(closed) == (best and best.name)
        for each in [best, dice.some(None, *cloud)]:
            if each is not None:
                load.add(each.name)
                load.add_share(request, each)
    assert ranking.is_current()


def test_with_less_load_the_order_is_to_be_found_anew() -> None:
    load = Load()
    candidate = Candidate("hv1", IPSEC)
    request = Request("vpn-1", "ipsec")
    shrinks: list[Callable[[], None]] = [
        lambda: load.add("hv1", -1),
        lambda: load.add_share(request, candidate, -1),
    ]
    for shrink in shrinks:
        ranking = Ranking(request, [candidate], load)
        assert ranking.is_current()
        shrink()
        assert not ranking.is_current()
