"""The panel's JavaScript without a page, its types, style and bundle, checked by node's tools."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.support import NODE_FOLDER, require

WIDGETS = Path(__file__).parents[2] / "budget_magic" / "widgets"
STATIC = WIDGETS / "static"


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
    ours = sorted(str(path) for path in NODE_FOLDER.glob("*.mjs"))
    run(
        require("biome"),
        "check",
        "--error-on-warnings",
        "--config-path=lint.jsonc",
        str(WIDGETS / "src"),
        *ours,
    )


def test_the_committed_bundle_is_built_from_the_sources(tmp_path: Path) -> None:
    script = json.loads((NODE_FOLDER / "package.json").read_text("utf-8"))["scripts"]["build"]
    name, *options = script.split()
    outdirs = [option for option in options if option.startswith("--outdir=")]
    assert (name, len(outdirs)) == ("esbuild", 1)
    options[options.index(outdirs[0])] = f"--outdir={tmp_path}"
    run(require("esbuild"), *options)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert built.keys() == committed.keys()
    stale = [name for name in built if built[name] != committed[name]]
    assert not stale, f"{stale} are not current: npm --prefix tests/js run build"
