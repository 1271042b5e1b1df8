"""Keyed nodes, indexes and timers (engine.py), and the ledgers of what is written (ledger.py)."""
