"""Which clients are asked for: some only by `make soak`; each has an environment of its own."""

from __future__ import annotations

import os

from tests.support import EXAMPLES

collect_ignore = [] if os.environ.get(EXAMPLES) else ["test_more_foreign_clients.py"]
collect_ignore += ["pydantic_ai_loop.py", "langchain_loop.py"]
