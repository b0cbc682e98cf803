"""``genctl bench`` and ``genctl doctor``: how fast this machine is, and what is installed on it."""
