"""What every test of the tools may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.calling import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The file tools of an empty folder."""
    root = tmp_path / "root"
    root.mkdir()
    return Files(root)
