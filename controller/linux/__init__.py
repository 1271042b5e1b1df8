"""The drivers of a Linux host; only here and in services/ are the kernel and processes met."""
