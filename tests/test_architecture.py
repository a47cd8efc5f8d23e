"""docs/architecture.md says what is there: its rooms, their layers, and the files it names."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from tests.notebook_runs import ROOT

PAGE: Final = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE: Final = ROOT / "budget_magic"


def test_the_page_names_every_room_in_its_layer() -> None:
    drawn: dict[int, set[str]] = {}
    for layer, room in re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE):
        drawn.setdefault(int(layer), set()).add(room)

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [one["layers"] for one in contracts["contracts"] if one["type"] == "layers"]

    assert [set(layer.split(" | ")) for layer in layers] == [drawn[n] for n in sorted(drawn)]


def test_every_room_of_the_package_is_on_the_page() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms -= {"__init__", "__pycache__", "py"}
    on_page = set(re.findall(r"^\| \d+ \| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rooms == on_page


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(\w+/\w+\.py)`", PAGE)
    assert len(named) > 8
    assert [name for name in named if not (PACKAGE / name).is_file()] == []
