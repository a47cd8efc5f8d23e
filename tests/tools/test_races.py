"""What comes back while somebody swaps a folder under the root for a link that leads outside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import examples
from tests.tools.calling import Files

SECRET = "planted-secret-value"
ROUNDS = examples(100)


@contextmanager
def swapping(swap: Callable[[], None]) -> Iterator[list[int]]:
    """Swap as fast as a thread can, over and over; gives how often as the list's length."""
    stop, swaps = threading.Event(), list[int]()

    def work() -> None:
        while not stop.is_set():
            swap()
            swaps.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield swaps
    finally:
        stop.set()
        thread.join(10)


@pytest.fixture
def swapped(files: Files, tmp_path: Path) -> Callable[[], None]:
    """Swaps `a/b` for a link to a folder outside which holds the same names, and back."""
    outside = tmp_path / "outside"
    (outside / "c").mkdir(parents=True)
    for name in ("notes.txt", "only-outside.txt", "c/notes.txt", "c/only-outside.txt"):
        (outside / name).write_text(SECRET)
    files.write("a/b/notes.txt", "harmless needle")
    files.write("a/b/c/notes.txt", "harmless needle")
    inside, aside = files.root / "a/b", files.root / "a/aside"

    def swap() -> None:
        inside.rename(aside)
        inside.symlink_to(outside)
        for _ in range(20):  # both states last, so that a check may see one and an open the other
            inside.lstat()
        inside.unlink()
        aside.rename(inside)
        for _ in range(20):
            inside.lstat()

    return swap


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read", {"file_path": "a/b/notes.txt"}),
        ("read", {"file_path": "a/b/only-outside.txt"}),
        ("read", {"file_path": "a/b/c/notes.txt", "view_range": [1, 2]}),
        ("list", {"path": "a/b"}),
        ("list", {"path": "a/b/c"}),
        ("glob", {"pattern": "**/*.txt"}),
        ("glob", {"pattern": "*", "path": "a/b/c"}),
    ],
)
def test_nothing_from_outside_comes_back_while_a_folder_is_swapped(
    files: Files, swapped: Callable[[], None], tool: str, arguments: dict[str, object]
) -> None:
    with swapping(swapped) as swaps:
        answers = [files.either(tool, **arguments) for _ in range(ROUNDS)]

    assert len(swaps) > 1
    # A refusal may repeat the name that was asked for.
    told = [text for text in answers if not text.endswith(("not exist", "may be used"))]
    assert not any(SECRET in text for text in told)
    asked_for = str(arguments.get("file_path"))
    assert not any("only-outside" in text.replace(asked_for, "") for text in told)


@pytest.mark.parametrize("path", ["a/b/notes.txt", "a/b", "."])
def test_a_search_finds_nothing_outside_while_a_folder_is_swapped(
    files: Files, swapped: Callable[[], None], tmp_path: Path, path: str
) -> None:
    for number in range(1_000):
        files.write(f"a/b/c/{number}.txt", "harmless")
        (tmp_path / f"outside/c/{number}.txt").write_text(SECRET)

    with swapping(swapped) as swaps:
        answers = [files.either("grep", pattern="planted|needle", path=path) for _ in range(10)]

    assert len(swaps) > 1
    assert not any(SECRET in text for text in answers)
