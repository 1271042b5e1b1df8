"""Rules that OVN is yet to compile: by an ovn-northd whose passes take their time."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..northd.ovn.uncompiled import DOUBT_MS, LATE_MS, LATEST_MS, REST_MS, Uncompiled

STEP_MS = 50
SLOW_MS = 4500
NEVER_MS = 10**9


@dataclass
class Ovn:
    """An ovn-northd whose every pass takes 'pass_ms', and compiles what stood when it began.

    'wrong' are the moments at which something was said to be late that is compiled.
    """

    pass_ms: int
    rules: Uncompiled = field(default_factory=Uncompiled)
    now_ms: int = 0
    nb_cfg: int = 7
    sb_cfg: int = 7
    raised: int = 0
    told: frozenset[str] = frozenset()
    wrong: list[int] = field(default_factory=list)
    _there: dict[UUID, str] = field(default_factory=dict)
    _compiled: set[UUID] = field(default_factory=set)
    _pass: tuple[int, int, frozenset[UUID]] | None = None

    def __post_init__(self) -> None:
        self.rules.read(self.nb_cfg, self.sb_cfg, self.now_ms)

    def add(self, subject: str = "a") -> UUID:
        """Adds a rule of vpn-1."""
        uuid = uuid4()
        self._there[uuid] = subject
        self.rules.note(uuid, "vpn-1", subject, self.now_ms)
        return uuid

    def run(self, ms: int) -> None:
        """Lets 'ms' pass."""
        for _ in range(0, ms, STEP_MS):
            self.now_ms += STEP_MS
            self._compile()
            self._step()

    def _compile(self) -> None:
        if self._pass is not None and self.now_ms >= self._pass[0]:
            _, self.sb_cfg, compiled = self._pass
            self._compiled |= compiled
            self._pass = None
        if self._pass is None and (
            self.sb_cfg != self.nb_cfg or self._there.keys() - self._compiled
        ):
            self._pass = self.now_ms + self.pass_ms, self.nb_cfg, frozenset(self._there)

    def _step(self) -> None:
        self.rules.read(self.nb_cfg, self.sb_cfg, self.now_ms)
        if self.rules.is_overdue:
            self.rules.judge()
        self.rules.run(self.now_ms)
        if self.rules.asks:
            self.nb_cfg += 1
            self.raised += 1
        self.told = self.rules.take_changed().get("vpn-1", self.told) or frozenset()
        compiled = {self._there[uuid] for uuid in self._compiled}
        uncompiled = {self._there[uuid] for uuid in self._there.keys() - self._compiled}
        if self.told - uncompiled and self.told & compiled:
            self.wrong.append(self.now_ms)


@pytest.mark.parametrize("pass_ms", [100, 1500])
@pytest.mark.parametrize("foreign", [False, True])
def test_nobody_is_told_late_while_ovn_works(pass_ms: int, foreign: bool) -> None:
    ovn = Ovn(pass_ms)
    ovn.run(1000)
    if foreign:
        ovn.nb_cfg += 1
        ovn.run(200)
    ovn.add()
    ovn.run(40_000)
    assert (ovn.told, ovn.rules.waits, ovn.wrong) == (frozenset(), False, [])
    assert ovn.raised == 1


def test_one_whose_passes_are_long_is_known_by_its_last_answer() -> None:
    ovn = Ovn(SLOW_MS)
    ovn.nb_cfg += 1
    ovn.run(2 * SLOW_MS)
    for _ in range(5):
        ovn.add()
        for _ in range(600):
            ovn.run(STEP_MS)
            assert not ovn.told
    assert not ovn.rules.waits


def test_rules_of_a_while_are_one_raise() -> None:
    ovn = Ovn(100)
    for _ in range(REST_MS // 500):
        ovn.add()
        ovn.run(500)
    assert ovn.raised == 1
    ovn.run(2 * REST_MS)
    assert (ovn.raised, ovn.rules.waits) == (2, False)


def test_a_raise_by_somebody_else_is_as_good() -> None:
    ovn = Ovn(100)
    ovn.run(500)
    ovn.add()
    ovn.run(500)
    ovn.nb_cfg += 1
    ovn.run(500)
    assert (ovn.raised, ovn.rules.waits) == (0, False)


@pytest.mark.parametrize("ours", [False, True])
def test_a_raise_of_a_svc_northd_covers_what_came_with_it(ours: bool) -> None:
    """As a standby sees it, too."""
    ovn = Ovn(100)
    ovn.run(500)
    ovn.nb_cfg += 1
    ovn.rules.read(ovn.nb_cfg, ovn.sb_cfg, ovn.now_ms, ours=ours)
    ovn.add()
    ovn.run(500)
    assert ovn.rules.waits is not ours


def test_an_sb_cfg_of_a_higher_count_is_no_answer() -> None:
    """ovn-northd puts its old number back where somebody sets it to 0."""
    ovn = Ovn(NEVER_MS, nb_cfg=100, sb_cfg=100)
    ovn.add()
    ovn.run(DOUBT_MS + LATE_MS + 4 * STEP_MS)
    assert ovn.told == {"a"}
    ovn.nb_cfg = 0
    ovn.run(REST_MS + LATE_MS)
    assert ovn.told == {"a"}
    assert ovn.raised == 2


def test_a_subject_that_is_late_is_so_while_its_rules_are_replaced() -> None:
    ovn = Ovn(NEVER_MS)
    rule = ovn.add("a")
    ovn.run(DOUBT_MS + LATE_MS + 4 * STEP_MS)
    for _ in range(4):
        ovn.rules.forget(rule)
        ovn.run(2000)
        rule = ovn.add("a")
        ovn.run(2000)
        assert ovn.told == {"a"}
    ovn.pass_ms, ovn._pass = 100, None
    ovn.run(2 * REST_MS)
    assert (ovn.told, ovn.rules.waits) == (frozenset(), False)


def test_rules_are_late_until_they_are_compiled() -> None:
    ovn = Ovn(NEVER_MS)
    gone = ovn.add("a")
    ovn.add("b")
    ovn.run(DOUBT_MS + LATE_MS)
    assert ovn.told == frozenset()
    ovn.run(4 * STEP_MS)
    assert ovn.told == {"a", "b"}
    ovn.rules.forget(gone)  # that it is gone is not compiled either
    ovn.add("c")
    ovn.run(STEP_MS)
    assert ovn.told == {"a", "b"}  # 'c' is of this moment
    ovn.run(REST_MS + LATE_MS)
    assert ovn.told == {"a", "b", "c"}
    ovn.rules.read(ovn.nb_cfg, ovn.nb_cfg, ovn.now_ms)
    assert ovn.rules.take_changed() == {"vpn-1": None}
    assert not ovn.rules.waits


def test_what_was_raised_before_a_rule_says_nothing_of_it() -> None:
    ovn = Ovn(NEVER_MS)
    ovn.run(500)
    ovn.nb_cfg += 1
    ovn.run(500)
    ovn.add()
    ovn.sb_cfg = ovn.nb_cfg
    ovn.run(500)
    assert ovn.rules.waits
    ovn.run(DOUBT_MS + LATE_MS)
    assert (ovn.raised, ovn.told) == (1, frozenset({"a"}))


def test_a_database_that_counts_from_less_answers_too() -> None:
    ovn = Ovn(NEVER_MS)
    ovn.add()
    ovn.run(DOUBT_MS + LATE_MS + REST_MS)
    assert ovn.told
    ovn.nb_cfg = ovn.sb_cfg = 2
    ovn.pass_ms, ovn._pass = 100, None
    ovn.run(2 * REST_MS)
    assert (ovn.told, ovn.rules.waits) == (frozenset(), False)


def test_what_is_not_seen_is_not_late() -> None:
    ovn = Ovn(NEVER_MS)
    ovn.add()
    ovn.run(DOUBT_MS + LATE_MS // 2)
    for _ in range(10):
        ovn.now_ms += LATEST_MS
        ovn.rules.interrupt(ovn.now_ms)
    ovn.run(LATE_MS // 2)
    assert not ovn.told
    ovn.run(LATE_MS)
    assert ovn.told


def test_the_pause_before_says_little_of_the_next() -> None:
    ovn = Ovn(NEVER_MS)
    ovn.add()
    ovn.run(600_000)
    ovn.rules.read(ovn.nb_cfg, ovn.nb_cfg, ovn.now_ms)
    ovn.sb_cfg = ovn.nb_cfg
    ovn.add("b")
    ovn.run(DOUBT_MS + LATEST_MS + 4 * STEP_MS)
    assert ovn.told == {"b"}


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["add", "raise", "wait", "long"]), max_size=30),
    st.sampled_from([100, 900, 2400]),
)
def test_whatever_comes_all_is_compiled_in_the_end(acts: list[str], pass_ms: int) -> None:
    ovn = Ovn(pass_ms)
    for act in acts:
        if act == "add":
            ovn.add()
        elif act == "raise":
            ovn.nb_cfg += 1
        ovn.run(STEP_MS if act != "long" else 3000)
        assert not ovn.told
    ovn.run(3 * REST_MS)
    assert (ovn.told, ovn.rules.waits) == (frozenset(), False)
