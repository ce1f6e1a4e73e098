"""What is traced: its cgroups, processes, sockets and descriptors, as /proc and netlink tell them."""
