"""What northd, controller and ctl share; imports none of them."""
