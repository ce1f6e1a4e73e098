"""The plugin and the tracer without cluster, kernel or root.

Real: our modules. Fake: what stands around them, as each directory's own conftest says.
"""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure: pytest-timeout watches over the whole test.
settings.register_profile("unit", deadline=None, max_examples=100)
settings.load_profile("unit")
