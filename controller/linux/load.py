"""How busy the host's processors are, from /proc/stat (proc(5))."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

PATH = "/proc/stat"
WINDOW_MS = 5000

# user nice system idle iowait irq softirq steal; what guests used is part of user and nice.
_FIELDS = 8
_IDLE = (3, 4)


@dataclass(frozen=True, slots=True)
class Times:
    """What all processors together did since boot, in clock ticks."""

    used: int
    total: int


def parse_times(text: str) -> Times | None:
    """Returns the times in the content of /proc/stat; None if they are not there. Pure."""
    words = text.partition("\n")[0].split()
    fields = words[1 : 1 + _FIELDS]
    if words[:1] != ["cpu"] or len(fields) < _FIELDS or not all(map(str.isdecimal, fields)):
        return None
    ticks = [int(each) for each in fields]
    total = sum(ticks)
    return Times(total - sum(ticks[each] for each in _IDLE), total)


def find_percent(before: Times, after: Times) -> int | None:
    """Returns the share of the time between that was used, 0 to 100; None if there is none."""
    total = after.total - before.total
    if total <= 0:
        return None
    # A processor that is taken out of service takes its ticks along.
    return min(100, max(0, round(100 * (after.used - before.used) / total)))


class LoadMeter:
    """Reads the times now and then, and compares with those of some seconds ago."""

    def __init__(self, path: str = PATH) -> None:
        self._path = path
        self._samples: deque[tuple[int, Times]] = deque()

    def read(self, now_ms: int) -> dict[str, str]:
        """Returns Chassis_Private:load since the calls of the last seconds; {} if unknown."""
        times = self._read_times()
        if times is None:
            self._samples.clear()
            return {}
        while len(self._samples) > 1 and self._samples[1][0] <= now_ms - WINDOW_MS:
            self._samples.popleft()
        percent = find_percent(self._samples[0][1], times) if self._samples else None
        self._samples.append((now_ms, times))
        return {} if percent is None else {"cpu": str(percent)}

    def _read_times(self) -> Times | None:
        try:
            with open(self._path, encoding="ascii") as file:
                return parse_times(file.readline())
        except (OSError, UnicodeDecodeError):
            return None
