"""The service type 'ipsec': a site-to-site VPN gateway on an OVN router, by strongSwan."""
