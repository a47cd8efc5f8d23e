"""What a wheel carries, whichever way it was built."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.notebook_runs import ROOT

BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")
NOT_CARRIED = ("__pycache__", ".ipynb_checkpoints")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel from a used checkout, and the one from its sdist."""
    place = tmp_path_factory.mktemp("wheels")
    tree = place / "tree"
    for folder in ("budget_magic", "notebooks"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns(*NOT_CARRIED))
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, tree / name)
    for folder in ("budget_magic", "notebooks/sample", "notebooks/sample/shop"):
        for name in NOT_CARRIED:
            (tree / folder / name).mkdir()
            (tree / folder / name / "left.py").write_text("")
    _build(tree, place / "direct", "wheel")
    _build(tree, place / "sdist", "sdist")
    (sdist,) = (place / "sdist").iterdir()
    with tarfile.open(sdist) as archive:
        # Not the argument `filter`, which Python 3.11.2 does not know.
        archive.extraction_filter = lambda member, _: member
        archive.extractall(place / "unpacked")  # noqa: S202 - our own archive
    (unpacked,) = (place / "unpacked").iterdir()
    _build(unpacked, place / "via", "wheel")
    (direct,), (via,) = (place / "direct").iterdir(), (place / "via").iterdir()
    return direct, via


def _build(tree: Path, place: Path, target: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(place)],
        cwd=tree,
        check=True,
        capture_output=True,
    )


def _files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_both_ways_give_the_same_files(wheels: tuple[Path, Path]) -> None:
    direct, via = wheels

    assert _files(direct) == _files(via)


def test_the_wheel_carries_types_scenes_the_notebook_and_the_sample(
    wheels: tuple[Path, Path],
) -> None:
    carried = _files(wheels[0])

    assert "budget_magic/py.typed" in carried
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "budget_magic").rglob("*")
        if path.is_file() and not {*NOT_CARRIED, "src"} & set(path.parts)
    }
    assert package <= set(carried)
    assert not [name for name in carried if "widgets/src" in name]  # what is bundled in static
    for path in (ROOT / "notebooks" / "sample").rglob("*.py"):
        if not set(NOT_CARRIED) & set(path.parts):
            inside = path.relative_to(ROOT / "notebooks").as_posix()
            assert carried[f"budget_magic/carried/{inside}"] == path.read_bytes()
    first = ROOT / "notebooks" / "01_first_task.ipynb"
    assert carried["budget_magic/carried/01_first_task.ipynb"] == first.read_bytes()


def test_the_wheel_carries_nothing_else(wheels: tuple[Path, Path]) -> None:
    names = set(_files(wheels[0]))

    assert not [name for name in names if any(part in name for part in NOT_CARRIED)]
    assert {name.split("/")[0] for name in names} == {
        "budget_magic",
        next(name for name in names if name.endswith("METADATA")).split("/")[0],
    }


def test_the_command_is_an_entry_point(wheels: tuple[Path, Path]) -> None:
    files = _files(wheels[0])
    points = next(text for name, text in files.items() if name.endswith("entry_points.txt"))

    assert b"budget-magic = budget_magic.cli:main" in points


def test_every_dependency_has_an_exact_version_in_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    wanted += project["optional-dependencies"]["dev"]
    exact = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }

    names = {entry.split(">")[0].split("[")[0].lower() for entry in wanted}
    assert names - {"budget-magic"} <= exact
