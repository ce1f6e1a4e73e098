"""Everything that speaks Kubernetes: the connection, the target, the tracer pod's life and its log.

Nothing of the `kubernetes` package, and no raw object of the API, leaves this package.
"""
