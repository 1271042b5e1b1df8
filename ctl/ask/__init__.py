"""Looking things up: in the southbound, in OVN, in files, and what can be said of them."""
