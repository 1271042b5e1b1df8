"""Whether OVN follows: who is asked for, when, and what is known then."""

from __future__ import annotations

from ..northd.ovn.progress import DOUBT_MS, LATE_MS, PROBLEM, PUNCTUAL_MS, Progress
from ..northd.scheduler.ovn_wait import Wait, Word

HV1 = Wait("hv1", "1")
HV2 = Wait("hv2", "1")


class Ovn:
    """The two numbers of NB_Global, and the clock."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.now_ms = 0
        self.nb_cfg = self.sb_cfg = 7
        self.follows = True
        self.raised = 0

    def wait(self, ms: int) -> dict[str, Word | None]:
        """Lets 'ms' pass in steps of half a second; returns the words of that time."""
        words: dict[str, Word | None] = {}
        for _ in range(0, ms, 500):
            self.now_ms += 500
            self.progress.read(self.nb_cfg, self.sb_cfg, self.now_ms)
            self.progress.run(self.now_ms)
            if self.progress.asks:
                self.nb_cfg += 1
                self.raised += 1
            if self.follows:
                self.sb_cfg = self.nb_cfg
            words.update(self.progress.take_words())
        return words

    def tell(self) -> str | None:
        """Returns the problem of the moment."""
        return self.progress.problem

    def note(self, container: str, wait: Wait | None) -> None:
        """Notes a wait at this moment."""
        self.progress.note(container, wait, self.now_ms)


def test_nobody_is_asked_while_all_is_well() -> None:
    ovn = Ovn()
    ovn.note("vpn-1", HV1)
    assert ovn.wait(DOUBT_MS - 500) == {}
    ovn.note("vpn-1", None)
    assert ovn.wait(60_000) == {"vpn-1": None}
    assert (ovn.raised, ovn.tell()) == (0, None)


def test_one_question_for_all_that_wait() -> None:
    ovn = Ovn()
    for name in ("vpn-1", "vpn-2"):
        ovn.note(name, HV1)
    compiled = Word(HV1, late=False)
    assert ovn.wait(DOUBT_MS + 1000) == {"vpn-1": compiled, "vpn-2": compiled}
    ovn.note("vpn-3", HV2)
    assert ovn.wait(60_000) == {"vpn-3": Word(HV2, late=False)}
    assert ovn.raised == 2


def test_ovn_that_is_paused_is_late_until_it_answers() -> None:
    ovn = Ovn()
    ovn.follows = False
    ovn.note("vpn-1", HV1)
    late = ovn.wait(DOUBT_MS + PUNCTUAL_MS)
    assert late == {"vpn-1": Word(HV1, late=True)}
    ovn.note("vpn-2", HV2)  # who comes later hears of it at once
    assert ovn.wait(500) == {"vpn-2": Word(HV2, late=True)}
    assert ovn.tell() is None
    assert ovn.wait(LATE_MS) == {}
    assert ovn.tell() == PROBLEM
    ovn.wait(3_600_000)
    assert ovn.raised == 1
    ovn.follows = True
    assert ovn.wait(1000)["vpn-1"] == Word(HV1, late=False)
    assert ovn.tell() is None
    # The answer was to a question from before it waited.
    assert ovn.wait(10_000) == {"vpn-2": Word(HV2, late=False)}
    assert ovn.raised == 2


def test_ovn_that_gets_on_is_only_slow() -> None:
    ovn = Ovn()
    ovn.follows = False
    ovn.nb_cfg = 100
    for _ in range(20):
        ovn.wait(LATE_MS - 1000)
        assert ovn.tell() is None
        ovn.sb_cfg += 1


def test_a_database_that_was_restored_answers() -> None:
    ovn = Ovn()
    ovn.follows = False
    ovn.note("vpn-1", HV1)
    ovn.wait(10_000)
    ovn.nb_cfg = ovn.sb_cfg = 1
    ovn.wait(500)
    ovn.follows = True
    assert ovn.wait(1000) == {"vpn-1": Word(HV1, late=False)}


def test_what_is_known_is_asked_for_anew_in_another_watch() -> None:
    ovn = Ovn()
    ovn.note("vpn-1", HV1)
    ovn.wait(10_000)
    ovn.progress.begin(ovn.now_ms)
    assert ovn.wait(500) == {"vpn-1": None}
    assert ovn.wait(10_000) == {"vpn-1": Word(HV1, late=False)}
    assert ovn.raised == 2


def test_it_says_when_it_has_something_to_do() -> None:
    ovn = Ovn()
    ovn.follows = False
    assert ovn.progress.find_next_ms() is None
    ovn.note("vpn-1", HV1)
    assert ovn.progress.find_next_ms() == DOUBT_MS
    ovn.wait(DOUBT_MS + 500)
    assert ovn.progress.find_next_ms() == DOUBT_MS + PUNCTUAL_MS
    ovn.wait(PUNCTUAL_MS)
    behind_ms = ovn.progress.find_next_ms()
    assert behind_ms is not None
    ovn.wait(LATE_MS)
    assert ovn.tell() == PROBLEM
    assert ovn.progress.find_next_ms() is None
