"""The command `budget-magic`: run the first notebook, or serve the simulator."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from budget_magic.errors import BudgetMagicError, ConfigurationError
from budget_magic.session.clients import CHOICE_VARIABLE, SIMULATOR

NOTEBOOK: Final = "01_first_task.ipynb"
SAMPLE: Final = "sample"
DEMO_FOLDER: Final = "budget-magic-demo"
TIMEOUT_S: Final = 600
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="budget-magic", description="Agentic loops on Claude under budgets and ceilings."
    )
    commands = parser.add_subparsers(required=True)
    audit = commands.add_parser("demo", help="run the first notebook and print its report")
    audit.add_argument("folder", nargs="?", type=Path, help="to audit; a small sample without it")
    audit.set_defaults(run=lambda given: demo(given.folder))
    serve = commands.add_parser("simulator", help="serve the simulator as a local Messages API")
    serve.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    serve.add_argument("--scene", default="audit", help="what the model does")
    serve.add_argument("--seed", type=int, default=0, help="decides what is random")
    serve.set_defaults(run=_serve)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except BudgetMagicError as error:
        print(f"budget-magic: {error}", file=sys.stderr)  # noqa: T201 - a command prints
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def demo(folder: Path | None, beside: Path | None = None) -> Path:
    """Run the first notebook on the simulator, print its report, and return its path.

    Parameters
    ----------
    folder
        What to audit; None is the carried sample.
    beside
        Where the demo's folder is made; None is the working directory.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(
            f"{folder} is not a folder; name one, or leave it out to use the sample"
        )
    place = _new_folder(beside or Path.cwd())
    with as_file(_carried()) as carried:
        shutil.copy(carried / NOTEBOOK, place / NOTEBOOK)
        if folder is None:
            ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(carried / SAMPLE, place / SAMPLE, ignore=ignored)
    target = SAMPLE if folder is None else str(folder.resolve())
    notebook = _execute(place / NOTEBOOK, target)
    _print_reports(notebook)
    print(f"executed notebook: {place / NOTEBOOK}")  # noqa: T201 - a command prints
    return place / NOTEBOOK


def _carried() -> Any:
    """Return the notebook and the sample: inside the package in a wheel, else beside it."""
    package = files("budget_magic")
    carried = package / "carried"
    return carried if carried.is_dir() else package / ".." / "notebooks"


def _new_folder(beside: Path) -> Path:
    place, number = beside / DEMO_FOLDER, 1
    while place.exists():
        number += 1
        place = beside / f"{DEMO_FOLDER}-{number}"
    try:
        place.mkdir()
    except OSError as error:
        raise ConfigurationError(
            f"{place} cannot be made ({error.strerror}); go to a folder that you can write to"
        ) from error
    return place


def _execute(path: Path, folder: str) -> Any:
    import nbformat  # noqa: PLC0415 - only the demo needs it
    from nbclient import NotebookClient  # noqa: PLC0415 - likewise
    from nbclient.exceptions import CellExecutionError  # noqa: PLC0415 - likewise

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # untyped library
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f"folder = {folder!r}  # the folder to audit; nothing outside it is read"
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        resources={"metadata": {"path": str(path.parent)}},
        # The kernel is on loopback and warns about that at every start.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    try:
        client.execute(env={**os.environ, CHOICE_VARIABLE: SIMULATOR})
    except CellExecutionError as error:
        raise ConfigurationError(
            f"a cell of {path} failed with {error.ename}: {error.evalue}; open it to see more"
        ) from error
    finally:
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call] # untyped library
    return notebook


def _print_reports(notebook: Any) -> None:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "application/vnd.budget-magic.turn+json" in data:
                print(data["text/plain"], end="\n\n")  # noqa: T201 - a command prints


def _serve(given: argparse.Namespace) -> None:
    from budget_magic.simulator.server import run_server  # noqa: PLC0415 - only this needs it

    run_server(given.port, given.scene, given.seed)


if __name__ == "__main__":
    sys.exit(main())
