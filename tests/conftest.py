"""What holds for every test: no key of yours is used, and Hypothesis measures no time."""

from __future__ import annotations

import os

from hypothesis import settings

from tests.support import EXAMPLES, examples

for _name in list(os.environ):
    if _name.startswith(("ANTHROPIC_", "BUDGET_MAGIC_CLIENT")):
        del os.environ[_name]

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=examples(100))
settings.load_profile(
    "soak" if os.environ.get(EXAMPLES) else "ci" if os.environ.get("CI") else "local"
)
