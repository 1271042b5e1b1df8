"""Where each container runs, and how it is there: pure, and imports nothing of northd.

northd's nodes call it: 'health.judge' says how a container is where it is
bound, 'settled.find_settled' whether it may stay as it is, 'schedule.schedule'
places those that may not.
"""
