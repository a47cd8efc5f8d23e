"""A folder with planted problems, and the four file tools for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PLANTED = {
    "shop/db.py": (
        "import sqlite3\n"
        "\n"
        'PASSWORD = "hunter2-prod"\n'
        "\n"
        "def find(connection, name):\n"
        "    return connection.execute(\"SELECT * FROM users WHERE name = '%s'\" % name)\n"
        "\n"
        "# TODO close the connection\n"
    ),
    "shop/jobs.py": (
        "import os, pickle, subprocess, tempfile\n"
        "\n"
        "def run(name):\n"
        '    subprocess.run("ls " + name, shell=True)\n'
        "\n"
        "def load(data):\n"
        "    return pickle.loads(data)\n"
        "\n"
        "def name():\n"
        "    try:\n"
        "        return tempfile.mktemp()\n"
        "    except:\n"
        "        return None\n"
    ),
    "shop/web.py": (
        "import requests\n"
        "\n"
        "def allowed(token, expected):\n"
        "    return token == expected\n"
        "\n"
        "def fetch(url):\n"
        "    return requests.get(url, verify=False)\n"
        "\n"
        "def compute(text):\n"
        "    return eval(text)\n"
    ),
    "shop/fine.py": "def add(one: int, two: int) -> int:\n    return one + two\n",
    "settings.yaml": "debug: true\ntitle: Shop\n",
    "README.md": "# Shop\n\nUse `eval(x)` with care.\n",
}
PROBLEMS = {
    "shop/db.py:3": "Secret written into the source",
    "shop/db.py:6": "SQL built from text",
    "shop/db.py:8": "Work left open",
    "shop/jobs.py:4": "Command built for a shell",
    "shop/jobs.py:7": "Unsafe deserialisation",
    "shop/jobs.py:11": "Temporary name without a file",
    "shop/jobs.py:12": "Errors swallowed",
    "shop/web.py:4": "Secret compared with ==",
    "shop/web.py:7": "Certificate check switched off",
    "shop/web.py:10": "Text is run as code",
    "settings.yaml:1": "Debug mode switched on",
}


def tool(name: str, required: list[str], optional: list[str]) -> dict[str, Any]:
    """Return a tool as a client offers it."""
    properties: dict[str, Any] = {one: {"type": "string"} for one in [*required, *optional]}
    if "view_range" in properties:
        properties["view_range"] = {"type": "array", "items": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": f"{name} files", "input_schema": schema}


FILE_TOOLS = [
    tool("list", [], ["path"]),
    tool("glob", ["pattern"], ["path"]),
    tool("grep", ["pattern"], ["path"]),
    tool("read", ["file_path"], ["view_range"]),
]


class Folder:
    """Files below a root, with tools that answer like the SDK's agent toolset."""

    def __init__(self, root: Path, files: dict[str, str], *, absolute: bool = False) -> None:
        self.root = root
        self.absolute = absolute
        self.calls: list[tuple[str, dict[str, Any]]] = []
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    async def answer(self, name: str, arguments: dict[str, Any]) -> str:
        """Return the result of a call."""
        self.calls.append((name, arguments))
        if name == "read":
            lines = (self.root / arguments["file_path"]).read_text(encoding="utf-8").split("\n")
            first, last = arguments.get("view_range") or (1, len(lines))
            return "\n".join(lines[first - 1 : last])
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        if name == "list":
            return "\n".join(sorted(path.name for path in self.root.iterdir()))
        if name == "glob":
            return "\n".join(map(self._shown, files))
        found = [
            f"{self._shown(path)}:{number}:{line}"
            for path in files
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if re.search(arguments["pattern"], line)
        ]
        return "\n".join(found) or "no matches"

    def _shown(self, path: Path) -> str:
        return str(path) if self.absolute else path.relative_to(self.root).as_posix()
