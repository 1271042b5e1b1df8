"""Where containers go: what svcctl and svc-northd must mean alike.

What a group may say is in group.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from .sequence import count_on, find_last

# Chassis:container_weight and container_limit where they are not set.
DEFAULT_WEIGHT = 1
NO_LIMIT = -1

# Chassis:delete_status of one that was deleted.
DELETED = "deleted"
# How it begins of one whose rows cannot be deleted, which is tried again.
NOT_DELETED_YET = "not deleted yet"

# How Chassis_Weight:problem begins of a chassis that is alive and can serve no port of OVN.
UNFIT = "unfit"

# Chassis_Weight:problem of one whose containers are to leave.
DRAINED = "drained"

# The key of Container_Wish:forgive_cfg that stands for all chassis.
EVERYWHERE = ""


def count_forgiveness(numbers: Mapping[str, int], chassis: str | None) -> dict[str, int]:
    """Returns Container_Wish:forgive_cfg with one more request, for 'chassis' or for all.

    One for all stands for those before it.
    """
    number = count_on(find_last(numbers.values()))
    return {**numbers, chassis: number} if chassis is not None else {EVERYWHERE: number}
