"""The nodes of svc-northd: en_DATUM.py computes a datum, tables.py has the sources."""
