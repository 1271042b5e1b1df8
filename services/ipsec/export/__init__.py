"""What the gateway at the other end of a connection must have, in the words of several gateways.

Pure.  Each file has format_side(), which returns the lines of one format.
"""

from __future__ import annotations
