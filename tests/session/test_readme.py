"""The Python examples of README.md run as they stand, on the simulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.notebook_runs import ROOT, environment

EXAMPLES: Final = re.findall(
    r"^```python\n(from budget_magic import .*?)^```$",
    (ROOT / "README.md").read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs_as_it_stands(example: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", example],
        env=environment(BUDGET_MAGIC_CLIENT="simulator"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.stderr, ran.returncode) == ("", 0)


def test_there_is_an_example_for_scripts() -> None:
    assert any('approve="all"' in one and "reads=True" in one for one in EXAMPLES)
