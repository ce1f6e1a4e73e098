"""The wire by itself.

Real: the records, the codec, the histogram, the committed streams `*_version.jsonl`. Fake: nothing.
Asserted: what is encoded decodes to the same, what is no record is noise with a reason, and no line raises.
"""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure: pytest-timeout watches over the whole test.
settings.register_profile("wire", deadline=None, max_examples=40)
settings.load_profile("wire")
