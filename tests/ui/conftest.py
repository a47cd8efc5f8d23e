"""One browser for all browser tests, a server for each setting, and a page for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support import CHROMIUM_FLAGS, require
from tests.ui.lab import Server, Window

expect.set_options(timeout=30_000)

OpenNotebook = Callable[..., Window]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, headless; Playwright's loop, on the main thread, ends with the module."""
    path = require("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def lab(
    browser: Browser,  # noqa: ARG001 - without Chromium no server is started
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """JupyterLab with its default settings."""
    server = Server(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def dark_lab(
    browser: Browser,  # noqa: ARG001 - without Chromium no server is started
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """JupyterLab with its dark theme."""
    server = Server(tmp_path_factory.mktemp("dark"), theme="dark")
    yield server
    server.stop()


@pytest.fixture(
    params=[("lab", "disabled"), ("notebook", None), ("notebook", "disabled")],
    ids=lambda param: "-".join(map(str, param)),
)
def other_front_end(
    browser: Browser,  # noqa: ARG001 - without Chromium no server is started
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """Notebook 7, and both front ends with comms over subshells switched off."""
    app, subshells = request.param
    home = tmp_path_factory.mktemp(app)
    server = Server(home, app, comms_over_subshells=subshells)
    yield server
    server.stop()


@pytest.fixture
def open_notebook(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Opens a notebook with given cells in a page of its own."""
    opened: list[Window] = []

    def open_it(server: Server, *cells: str, **options: Any) -> Window:
        name = f"{request.node.name.split('[')[0]}-{len(opened)}.ipynb"
        server.write(name, cells)
        window = Window(browser, server, name, **options)
        opened.append(window)
        return window

    yield open_it
    for window in opened:
        window.server.shut_kernels_down()
        window.close()
