"""What tests ask of the machine: it is there, or the test skips with the installing command."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

REQUIRE_ALL: Final = "BUDGET_MAGIC_REQUIRE_ALL"
EXAMPLES: Final = "BUDGET_MAGIC_EXAMPLES"
NODE_FOLDER: Final = Path(__file__).parent / "js"
CHROMIUM_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""How Chromium is started as root, without looking for hosts that no test needs."""

_COMMANDS: Final = {
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
    "node": (("node", "nodejs"), "apt-get install nodejs npm"),
}
_PACKAGES: Final = {
    "axe": "axe-core/axe.min.js",
    "tsc": ".bin/tsc",
    "biome": ".bin/biome",
}


def examples(usual: int) -> int:
    """How many examples a property takes: `make soak` asks for more than the usual number."""
    return max(usual, int(os.environ.get(EXAMPLES) or 0))


def require(name: str) -> str:
    """The path of something that a test needs.

    Parameters
    ----------
    name
        "chromium", "node", "axe" (axe-core's script), "tsc" or "biome".

    Returns
    -------
    str
        Where it is. Where it is not, the test skips with the command that installs it, or fails
        if BUDGET_MAGIC_REQUIRE_ALL is set.
    """
    if name in _COMMANDS:
        commands, remedy = _COMMANDS[name]
        found = next((place for command in commands if (place := shutil.which(command))), None)
    else:
        path = NODE_FOLDER / "node_modules" / _PACKAGES[name]
        found = str(path) if path.exists() else None
        remedy = "npm --prefix tests/js install"
    if found is not None:
        return found
    sentence = f"{name} is not here; install it: {remedy}"
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(f"{sentence} ({REQUIRE_ALL} is set, so no test may skip)", pytrace=False)
    pytest.skip(sentence)
