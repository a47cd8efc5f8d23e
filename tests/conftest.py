"""What holds for every test: no key of yours is used, and Hypothesis measures no time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from budget_magic.session import Session, set_default_session
from tests.support import EXAMPLES, examples

IN_JUPYTERLAB: Final = Path(__file__).parent / "ui"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs so; kernels and commands of the tests would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

for _name in list(os.environ):
    if _name.startswith(("ANTHROPIC_", "BUDGET_MAGIC_CLIENT")):
        del os.environ[_name]

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=examples(100))
settings.load_profile(
    "soak" if os.environ.get(EXAMPLES) else "ci" if os.environ.get("CI") else "local"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in JupyterLab come first, each file on one worker: they take longest."""
    items.sort(key=lambda item: not item.path.is_relative_to(IN_JUPYTERLAB))
    for item in items:
        if item.path.is_relative_to(IN_JUPYTERLAB):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def _as_in_a_new_process() -> Iterator[None]:
    """The default session is a new one."""
    with Session() as session:
        before = set_default_session(session)
        yield
        set_default_session(before)
