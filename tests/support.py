"""What tests ask of the machine: it is there, or the test skips with the installing command."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

REQUIRE_ALL: Final = "BUDGET_MAGIC_REQUIRE_ALL"
EXAMPLES: Final = "BUDGET_MAGIC_EXAMPLES"
HERE: Final = Path(__file__).parent
NODE_FOLDER: Final = HERE / "js"
CLIENTS: Final = HERE.parent / ".venv-clients"
"""Environments of the clients that nobody here wrote."""
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
_NODE_PACKAGES: Final = "npm --prefix tests/js install"
_SOAK_CLIENTS: Final = "make soak-clients"
_FILES: Final = {
    "axe": (NODE_FOLDER / "node_modules/axe-core/axe.min.js", _NODE_PACKAGES),
    "tsc": (NODE_FOLDER / "node_modules/.bin/tsc", _NODE_PACKAGES),
    "biome": (NODE_FOLDER / "node_modules/.bin/biome", _NODE_PACKAGES),
    "esbuild": (NODE_FOLDER / "node_modules/.bin/esbuild", _NODE_PACKAGES),
    "pydantic-ai": (CLIENTS / "pydantic-ai/bin/python", "make clients"),
    "langchain": (CLIENTS / "langchain/bin/python", _SOAK_CLIENTS),
    "typescript-sdk": (HERE / "clients/node_modules/@anthropic-ai/sdk", _SOAK_CLIENTS),
}


def examples(usual: int) -> int:
    """How many examples a property takes: `make soak` asks for more than the usual number."""
    return max(usual, int(os.environ.get(EXAMPLES) or 0))


def require(name: str) -> str:
    """The path of something that a test needs.

    Parameters
    ----------
    name
        "chromium", "node", "axe" (axe-core's script), "tsc", "biome", "esbuild", or a client:
        "pydantic-ai", "langchain" (its python), "typescript-sdk".

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
        path, remedy = _FILES[name]
        found = str(path) if path.exists() else None
    if found is not None:
        return found
    sentence = f"{name} is not here; install it: {remedy}"
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(f"{sentence} ({REQUIRE_ALL} is set, so no test may skip)", pytrace=False)
    pytest.skip(sentence)
