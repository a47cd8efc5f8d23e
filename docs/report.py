"""Draws docs/report.png: the saved output of the first notebook, in headless Chromium.

    .venv/bin/python docs/report.py

runs the demo in a folder of its own. Needs Chromium.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

import nbformat

from budget_magic.cli import demo
from tests.notebook_runs import TURN_MIME
from tests.support import CHROMIUM_FLAGS, require

WIDTH: Final = 860
HEIGHT: Final = 800
PAGE: Final = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 16px 20px; color: rgba(0, 0, 0, .87); font: 13px/1.54 sans-serif }}
pre, code {{ font-family: monospace; font-size: 12px }}
</style>{report}"""


def main() -> None:
    """Run the demo and take the picture of its first turn."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        page = place / "page.html"
        page.write_text(PAGE.format(report=_first_report(demo(None, place))))
        subprocess.run(
            [
                require("chromium"),
                *CHROMIUM_FLAGS,
                "--hide-scrollbars",
                "--force-device-scale-factor=1.5",
                f"--user-data-dir={place / 'profile'}",
                f"--window-size={WIDTH},{HEIGHT}",
                f"--screenshot={Path(__file__).with_suffix('.png')}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


def _first_report(notebook: Path) -> str:
    cells = nbformat.read(notebook, as_version=4).cells  # type: ignore[no-untyped-call] # untyped
    bundles = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return next(str(data["text/html"]) for data in bundles if TURN_MIME in data)


if __name__ == "__main__":
    main()
