"""The panel's JavaScript without a page, its types and its style, checked by node's own tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support import NODE_FOLDER, require

STATIC = Path(__file__).parents[2] / "budget_magic" / "widgets" / "static"


def run(*command: str) -> None:
    """Runs to its end without a complaint."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=NODE_FOLDER)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_the_panel_computes_is_right() -> None:
    tests = sorted(str(path) for path in NODE_FOLDER.glob("*.test.mjs"))
    run(require("node"), "--test", *tests)


def test_the_types_of_the_panel_hold() -> None:
    run(require("tsc"), "-p", "tsconfig.json")


def test_the_style_of_the_panel_holds() -> None:
    ours = sorted(str(path) for path in NODE_FOLDER.glob("*.test.mjs"))
    run(
        require("biome"),
        "check",
        "--error-on-warnings",
        "--config-path=lint.jsonc",
        str(STATIC),
        *ours,
    )
