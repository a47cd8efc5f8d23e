"""Runs of a notebook as nbclient does them, and what they leave."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient

ROOT: Final = Path(__file__).parents[1]
FIRST: Final = ROOT / "notebooks" / "01_first_task.ipynb"
SAMPLE: Final = ROOT / "notebooks" / "sample"
TURN_MIME: Final = "application/vnd.budget-magic.turn+json"


def environment(**more: str) -> dict[str, str]:
    """What a kernel gets: this process's variables, this tree first on the path, and `more`."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, **more}


def read(path: Path) -> Any:
    """A notebook from disk."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # untyped library


def execute(folder: Path, place: Path, env: Mapping[str, str], *, fails: bool = False) -> Any:
    """The first notebook, executed in `place` on `folder`; nothing else of it is changed.

    Parameters
    ----------
    folder
        What it audits.
    place
        The kernel's working directory.
    env
        The kernel's environment.
    fails
        Whether failing cells are left to the caller instead of being raised.
    """
    notebook = read(FIRST)
    (parameters,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    parameters.source = f"folder = {str(folder)!r}"
    client = NotebookClient(
        notebook,
        timeout=120,
        allow_errors=fails,
        resources={"metadata": {"path": str(place)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.execute(env=dict(env))
    return notebook


def turns(notebook: Any) -> list[dict[str, Any]]:
    """The turns of an executed notebook, for programs."""
    return [dict(data[TURN_MIME]) for data in _bundles(notebook)]


def reports(notebook: Any) -> list[str]:
    """The turns of an executed notebook, in Markdown."""
    return [str(data["text/markdown"]) for data in _bundles(notebook)]


def errors(notebook: Any) -> list[str]:
    """What failing cells said, as `NAME: sentence`."""
    return [
        f"{output.ename}: {output.evalue}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


def printed(notebook: Any) -> str:
    """Everything that cells wrote to their streams."""
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )


def _bundles(notebook: Any) -> list[Any]:
    return [
        output.data
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if TURN_MIME in output.get("data", {})
    ]
