"""The wire by itself.

Real: the records, the codec, the histogram, the committed streams `*_version.jsonl`. Fake: nothing.
Asserted: what is encoded decodes to the same, what is no record is noise with a reason, and no line raises.
"""
