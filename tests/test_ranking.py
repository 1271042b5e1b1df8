"""The order in which a policy prefers chassis, kept while load changes, is the order found anew."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from ..northd.scheduler.load import Load
from ..northd.scheduler.model import Candidate, Request
from ..northd.scheduler.policies import rank
from ..northd.scheduler.ranking import Ranking, find_order
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


def _rank_all(request: Request, cloud: list[Candidate], load: Load) -> Ranking:
    options = {each.name: each for each in cloud}
    return Ranking(request, options, cloud, load, lambda each: not load.is_full(each))


@many
@given(dice)
def test_the_first_is_the_one_that_a_look_at_all_finds(dice: Dice) -> None:
    cloud, load = _draw_cloud(dice), Load()
    policy, spread = dice.some("least", "weighted", "load"), dice.some(None, "rack")
    request = Request("vpn-1", "ipsec", group="gold", policy=policy, spread=spread)
    ranking = _rank_all(request, cloud, load)
    for _ in range(30):
        if not ranking.is_current():
            ranking = _rank_all(request, cloud, load)
        closed = {each.name for each in cloud if dice.one_in(4)}
        open_to = [each for each in cloud if each.name not in closed and not load.is_full(each)]
        best = min(open_to, key=lambda each: rank(request, each, load), default=None)
        assert ranking.find_best(closed) == (best and best.name)
        for each in [best, dice.some(None, *cloud)]:
            if each is not None:
                load.add(each.name)
                load.add_share(request, each)
        for each in cloud:
            if load.count_total(each.name) and dice.one_in(8):
                load.add(each.name, -1)
            if load.count_share(each.name) and dice.one_in(8):
                load.add_share(request, each, -1)


def test_one_that_was_full_comes_back_with_less_load() -> None:
    load, cloud = Load(), [Candidate(name, IPSEC, limit=1) for name in ("hv1", "hv2")]
    ranking = _rank_all(Request("vpn-1", "ipsec"), cloud, load)
    load.add("hv1")
    load.add("hv2")
    assert ranking.find_best(()) is None
    load.add("hv2", -1)
    assert ranking.find_best(()) == "hv2"
    load.add("hv1", -1)
    assert ranking.find_best(()) == "hv1"


def test_what_less_load_of_a_domain_changes_is_found_anew() -> None:
    load, cloud = Load(), [Candidate("hv1", IPSEC, labels={"rack": "a"})]
    alone, spread = Request("vpn-1", "ipsec"), Request("vpn-1", "ipsec", spread="rack")
    rankings = [_rank_all(each, cloud, load) for each in (alone, spread)]
    load.add("hv1", -1)
    assert all(each.is_current() for each in rankings)
    load.add_share(alone, cloud[0], -1)
    assert not rankings[1].is_current()


def test_where_much_became_less_it_is_found_anew() -> None:
    load, cloud = Load(), [Candidate("hv1", IPSEC)]
    ranking = _rank_all(Request("vpn-1", "ipsec"), cloud, load)
    load.add("hv2", -1)
    assert ranking.is_current()
    load.add("hv2", -1)
    assert not ranking.is_current()
    ranking.find_best(())
    assert ranking.is_current()


def test_containers_are_alike_unless_a_policy_tells_them_apart() -> None:
    first = Request("vpn-1", "ipsec", group="gold")
    assert find_order(first) == find_order(replace(first, name="vpn-2", group="silver"))
    spread = replace(first, spread="rack")
    assert find_order(spread) == find_order(replace(spread, name="vpn-2"))
    others = [replace(spread, group="silver"), first, replace(spread, policy="weighted")]
    assert find_order(spread) not in [find_order(each) for each in others]
