"""A report as metrics by the conventions of Prometheus: what each is called and holds, and how its series go on."""
