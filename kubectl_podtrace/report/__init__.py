"""Numbers to reports: the model that every format shares, its builder, the renderers and the one writer."""
