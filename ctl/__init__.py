"""svcctl: the command line of SVC_Northbound, as ovn-nbctl is that of OVN's."""
