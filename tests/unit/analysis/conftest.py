"""Records in, numbers out.

Real: the codec, the fold, all analysis. Made up: the streams, written record by record by `tests.unit.streams`.
Asserted: every number, exactly; that repeated, late, missing, broken and hostile lines change none of them unseen.
"""
