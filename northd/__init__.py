"""svc-northd: compiles the northbound into the southbound and into OVN."""
