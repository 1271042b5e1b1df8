"""What svc-northd knows of OVN: its rows, its expression language, its southbound."""
