"""The tracer: runs on the node of the target, counts in the kernel, streams records."""
