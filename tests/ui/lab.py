"""A real JupyterLab or Notebook in a real Chromium: open, run cells, look, press."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import nbformat
from playwright.sync_api import Browser, Locator, Page

from budget_magic.widgets.panel import WIDGET_MIME
from tests.ui.scenes import MODULE

App = Literal["lab", "notebook"]
Theme = Literal["light", "dark"]

SHOTS: Final = Path(__file__).parent / "shots"
NOTICES: Final = "@jupyterlab/apputils-extension", "notification"
SUBSHELLS: Final = "@jupyterlab/apputils-extension", "kernels-settings"
THEMES: Final = "@jupyterlab/apputils-extension", "themes"
START_TRIES: Final = 300
PANEL_JS: Final = """
(() => {
  const app = window.jupyterapp;
  const current = app.shell.currentWidget;
  if (current && current.content && current.content.widgets) return current;
  for (const widget of app.shell.widgets('main')) {
    if (widget.content && widget.content.widgets) return widget;
  }
})()
"""


class Server:
    """A Jupyter server with settings of its own, on a free port of this machine.

    Parameters
    ----------
    home
        Folder for notebooks and all of Jupyter's own files.
    app
        `lab` or `notebook`.
    comms_over_subshells
        The front end's setting; None leaves its default.
    theme
        Light or dark.
    """

    def __init__(
        self,
        home: Path,
        app: App = "lab",
        *,
        comms_over_subshells: str | None = None,
        theme: Theme = "light",
    ) -> None:
        self.app, self.notebooks = app, home / "notebooks"
        self.notebooks.mkdir(parents=True)
        (self.notebooks / "scenes_here.py").write_text(MODULE)
        self._set(home, NOTICES, {"fetchNews": "false", "doNotDisturbMode": True})
        if comms_over_subshells is not None:
            self._set(home, SUBSHELLS, {"commsOverSubshells": comms_over_subshells})
        if theme == "dark":
            self._set(home, THEMES, {"theme": "JupyterLab Dark"})
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        expose = "LabApp" if app == "lab" else "JupyterNotebookApp"
        self._log = (home / "server.log").open("w")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter", app, "--no-browser", "--allow-root",
                f"--port={port}", "--ip=127.0.0.1", "--IdentityProvider.token=",
                "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True",
                f"--ServerApp.root_dir={self.notebooks}", f"--{expose}.expose_app_in_browser=True",
                "--LabApp.news_url=",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env={**os.environ, **_folders(home)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self._wait_until_it_answers(home / "server.log")

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def api(self, path: str, method: str = "GET") -> Any:
        """What the server's REST API answers."""
        request = urllib.request.Request(self.url + path, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            body = answer.read()
        return json.loads(body) if body else None

    def shut_kernels_down(self) -> None:
        """End every kernel."""
        for kernel in self.api("/api/kernels"):
            self.api(f"/api/kernels/{kernel['id']}", "DELETE")

    def interrupt_kernels(self) -> None:
        """Interrupt every kernel, as Kernel > Interrupt does."""
        for kernel in self.api("/api/kernels"):
            self.api(f"/api/kernels/{kernel['id']}/interrupt", "POST")

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """A notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call] # untyped library
            metadata={
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            }
        )
        for number, source in enumerate(cells):
            cell = nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call] # likewise
            cell["id"] = f"cell-{number}"
            notebook.cells.append(cell)
        path = self.notebooks / name
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call] # likewise
        return path

    def stop(self) -> None:
        """End the server and what it started."""
        self.shut_kernels_down()
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:  # it may wait for a kernel that was killed
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def _set(self, home: Path, plugin: tuple[str, str], values: dict[str, Any]) -> None:
        folder = home / "settings" / plugin[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin[1]}.jupyterlab-settings").write_text(json.dumps(values))

    def _wait_until_it_answers(self, log: Path) -> None:
        for _ in range(START_TRIES):
            try:
                self.api("/api")
            except (urllib.error.URLError, ConnectionError):
                try:
                    self._process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                break
            else:
                return
        self._log.close()
        raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def _children_running(module: str, parent: int) -> list[int]:
    """Process ids of the parent's children that run a module, on Linux."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if module in Path(f"/proc/{pid}/cmdline").read_text()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _folders(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }


class Window:
    """One browser page with a notebook open in it."""

    def __init__(  # noqa: PLR0913 - what a page is opened with
        self,
        browser: Browser,
        server: Server,
        name: str,
        *,
        width: int = 1280,
        theme: Theme = "light",
        prepare: Callable[[Page], object] = lambda _: None,
    ) -> None:
        self.server, self.name = server, name
        context = browser.new_context(viewport={"width": width, "height": 1400}, color_scheme=theme)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = context.new_page()
        self.page.set_default_timeout(30_000)
        prepare(self.page)
        self.open()
        if server.app == "lab":
            self.command("application:toggle-left-area")

    def open(self, *, while_it_runs: bool = False) -> None:
        """Open the notebook, or load it again, and wait for its kernel.

        A kernel that runs a cell does not answer a new page before the cell is over.
        """
        place = (
            f"lab/tree/{self.name}?reset" if self.server.app == "lab" else f"notebooks/{self.name}"
        )
        self.page.goto(f"{self.server.url}/{place}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        if while_it_runs:
            return
        self.page.wait_for_function(
            f"() => {{ const w = window.jupyterapp && {PANEL_JS.strip()};"
            " const k = w && w.sessionContext.session && w.sessionContext.session.kernel;"
            " return k && (k.status === 'idle' || k.status === 'busy'); }",
            timeout=90_000,
        )

    def run(self, index: int) -> None:
        """Start a cell, as Shift+Enter does, without waiting for it."""
        self.page.evaluate(
            f"(i) => {{ const w = {PANEL_JS.strip()}; w.content.activeCellIndex = i;"
            " w.content.deselectAll(); window.jupyterapp.commands.execute('notebook:run-cell'); }",
            index,
        )

    def wait_done(self, index: int) -> None:
        """Wait until a cell has run."""
        self.page.wait_for_function(
            f"(i) => {{ const c = {PANEL_JS.strip()}.content.model.cells.get(i);"
            " return c.executionState === 'idle' && c.executionCount; }",
            arg=index,
            timeout=60_000,
        )

    def run_to_end(self, *indices: int) -> None:
        """Run cells one after the other."""
        for index in indices:
            self.run(index)
            self.wait_done(index)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The outputs of a cell as they would be saved."""
        found: list[dict[str, Any]] = self.page.evaluate(
            f"(i) => {PANEL_JS.strip()}.content.model.cells.get(i).sharedModel.toJSON().outputs",
            index,
        )
        return found

    def wait_for_report(self, index: int) -> None:
        """Wait until a cell would be saved with a report and without a widget."""
        self.page.wait_for_function(
            f"(i) => {{ const c = {PANEL_JS.strip()}.content.model.cells.get(i);"
            " const saved = c.sharedModel.toJSON().outputs;"
            f" return saved.length && !saved.some((one) => one.data['{WIDGET_MIME}']); }}",
            arg=index,
        )

    def evaluate(self, code: str) -> str:
        """What the kernel prints for a line of code; only while no cell runs."""
        printed: str = self.page.evaluate(
            f"""async (code) => {{
              const kernel = {PANEL_JS.strip()}.sessionContext.session.kernel;
              const future = kernel.requestExecute({{code, store_history: false}});
              let out = '';
              future.onIOPub = (m) => {{
                if (m.header.msg_type === 'stream') out += m.content.text;
                if (m.header.msg_type === 'error') out += m.content.ename + m.content.evalue;
              }};
              await future.done;
              return out;
            }}""",
            code,
        )
        return printed.strip()

    def restart_kernel(self) -> None:
        """Restart the notebook's kernel."""
        (kernel,) = self.server.api("/api/kernels")
        self.server.api(f"/api/kernels/{kernel['id']}/restart", "POST")

    def kill_kernel(self) -> None:
        """Kill the process of the notebook's kernel, as running out of memory does."""
        for pid in _children_running("ipykernel_launcher", self.server.pid):
            os.kill(pid, signal.SIGKILL)

    def command(self, name: str) -> None:
        """Run a command of the front end without waiting for it."""
        self.page.evaluate("(name) => { window.jupyterapp.commands.execute(name); }", name)

    def save(self) -> None:
        """Save the notebook and wait for it."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def panel(self) -> Locator:
        """The live panel."""
        return self.page.locator(".budget-magic")

    def open_steps(self) -> None:
        """Open every step of the live panel."""
        self.panel().evaluate(
            "(e) => e.querySelectorAll('.bm-log:not([open]) > summary,"
            " .bm-step:not([open]) > summary').forEach((one) => one.click())"
        )

    def shot(self, name: str) -> Path:
        """A picture of the page, written to the folder of shots."""
        SHOTS.mkdir(exist_ok=True)
        shown = self.page.locator(".budget-magic, .jp-OutputArea-output").last
        shown.evaluate("(e) => e.scrollIntoView({block: 'nearest'})")
        path = SHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def shot_panel(self, name: str) -> Path:
        """A picture of the live panel alone."""
        SHOTS.mkdir(exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.panel().screenshot(path=path)
        return path

    def close(self) -> None:
        """Close the page and its context."""
        self.page.context.close()
