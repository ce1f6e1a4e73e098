"""What tracing costs the node, and which probes are given up when it is too much."""
