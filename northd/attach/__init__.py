"""How a port of a container hangs on a network: a file for each kind of attachment.

Each says what is wrong with the router or network for it, in words, and gives
the port as the chassis gets it, the rows of OVN, and the next hop.
"""
