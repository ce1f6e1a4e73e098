"""What plugin and tracer agree on: the request, the records, the histogram's shape and the codec.

Standard library only, and nothing of either program: the tracer's image carries this package beside the tracer.
"""
