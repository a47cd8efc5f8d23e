"""The command `budget-magic`, as a person runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import pytest

from budget_magic.cli import main
from budget_magic.simulator.server import serve
from tests.notebook_runs import environment, read, turns


def _command(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "budget_magic.cli", *arguments],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize("name", ["nowhere", "file.txt"])
def test_a_bad_folder_is_one_sentence_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("text")

    done = _command("demo", name, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert name in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_the_demo_prints_both_reports_and_spends_nothing_where_a_key_is_set(
    tmp_path: Path,
) -> None:
    done = _command(
        "demo", cwd=tmp_path, ANTHROPIC_API_KEY="sk-real", ANTHROPIC_BASE_URL="http://127.0.0.1:9"
    )

    notebook = tmp_path / "budget-magic-demo" / "01_first_task.ipynb"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith(f"executed notebook: {notebook}")
    assert done.stdout.count("Simulated: ") == 2
    assert "shop/orders.py:8" in done.stdout
    assert [turn["state"] for turn in turns(read(notebook))] == ["completed", "completed"]
    assert (notebook.parent / "sample" / "shop" / "orders.py").is_file()
    assert not list(notebook.parent.rglob("__pycache__"))


def test_a_second_demo_leaves_the_first_alone(tmp_path: Path) -> None:
    project = tmp_path / "a {strange} $HOME name"
    project.mkdir()
    (project / "calc.py").write_text("eval(input())\n")
    first = tmp_path / "budget-magic-demo"
    first.mkdir()
    (first / "kept.txt").write_text("mine")

    done = _command("demo", project.name, cwd=tmp_path)

    assert done.returncode == 0
    assert "calc.py:1" in done.stdout
    assert [path.name for path in first.iterdir()] == ["kept.txt"]
    second = tmp_path / "budget-magic-demo-2"
    assert [path.name for path in second.iterdir()] == ["01_first_task.ipynb"]


def test_the_simulator_serves_any_client_until_it_is_interrupted(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "budget_magic.cli", "simulator"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            address = re.search(r"ANTHROPIC_BASE_URL=(http://127\.0\.0\.1:\d+)", said)
            assert address is not None
            with anthropic.Anthropic(api_key="any", base_url=address[1], max_retries=0) as client:
                message: Any = client.messages.create(
                    model="claude-opus-5-5",
                    max_tokens=64,
                    messages=[{"role": "user", "content": "Hello"}],
                )
            assert message.usage.output_tokens > 0
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=20) == 0
        finally:
            server.kill()


def test_a_used_port_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with serve() as server:
        status = main(["simulator", "--port", str(server.port)])

    assert status == 2
    assert f"cannot use port {server.port}" in capsys.readouterr().err
