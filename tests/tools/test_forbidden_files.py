"""What the file tools never touch, by whatever way it is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from budget_magic.errors import ConfigurationError
from budget_magic.tools.files import file_tools
from tests.tools.calling import Files

SECRET = "planted-secret-value"

SECRET_NAMES = [
    ".env",
    ".env.local",
    ".netrc",
    "server.pem",
    "Server.PEM",
    "tls.key",
    "store.p12",
    "store.PFX",
    "app.keystore",
    "credentials",
    "Credentials.json",
    "id_rsa",
    "id_ed25519.pub",
    "netrc",
    "_netrc",
    "deploy.ppk",
    "Passwords.kdbx",
    "kubeconfig",
    "prod.kubeconfig",
    "service-account.json",
    "service_account-prod.json",
    "my_credentials.json",
    "aws-credentials",
    "credential.txt",
    "token.json",
    "secrets.yaml",
    "Secrets.YML",
    "secrets.json",
    "secrets.toml",
    "htpasswd",
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "server.pem.bak",
    "tls.key~",
    "server.pem.",
    "server.pem.old.1",
    "id_rsa.orig",
    "secrets.yaml.save",
    "credentials.bak~",
    ".git/config",
    "sub/.hidden/deep/plans.txt",
    "credentials/plans.txt",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_hidden_or_credential_file_is_not_read_and_the_refusal_says_why(
    files: Files, name: str
) -> None:
    files.write(name, SECRET)

    refusal = files.refusal("read", file_path=name)

    assert SECRET not in refusal
    assert "files like it are never read" in refusal or "names like it are never read" in refusal


@pytest.mark.parametrize(
    "name",
    [
        "credentials.py",
        "my_credentials.ts",
        "credentials.py.bak",
        "credential_helpers/store.go",
        "tokens.py",
        "token.py",
        "test_secrets.py",
        "secrets.py",
        "secrets.md",
        "tokenizer.json",
        "package.json",
        "monkey.txt",
        "keys.csv",
        "notes.txt~",
        "main.tf",
        "kubeconfig.go",
        "~",
        "1",
    ],
)
def test_ordinary_files_and_source_code_are_read(files: Files, name: str) -> None:
    files.write(name, "plain")

    assert files.text("read", file_path=name) == "plain"
    assert name in files.text("glob", pattern="**/*")


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_hidden_or_credential_file_is_in_no_list_and_no_glob(files: Files, name: str) -> None:
    files.write(name, SECRET)
    files.write("notes.txt", "nothing here")
    last = name.rsplit("/", 1)[-1]
    folder = name.rsplit("/", 1)[0] if "/" in name else "."

    answers = [
        files.either("list"),
        files.either("list", path=folder),
        files.either("glob", pattern="**/*"),
        files.either("glob", pattern=f"**/{last}"),
        files.either("glob", pattern=name),
        files.either("glob", pattern=f"{{{name},{last}}}"),
        files.either("glob", pattern=f"[{last[0]}]{last[1:]}"),
        files.either("glob", pattern="*", path=folder),
    ]

    listed = [line.split("  ")[0] for text in answers for line in text.splitlines()]
    assert SECRET not in "\n".join(answers)
    assert last not in [line.rsplit("/", 1)[-1] for line in listed]


def test_no_hidden_or_credential_file_is_searched(files: Files) -> None:
    names = [name for name in SECRET_NAMES if name != "credentials"]  # also a folder's
    for name in names:
        files.write(name, SECRET)
    files.write("sub/notes.txt", "nothing planted here")

    inside = [files.either("grep", pattern="planted", path=folder) for folder in (".", "sub")]
    named = [files.either("grep", pattern="planted", path=name) for name in names]

    assert all("nothing planted here" in answer for answer in inside)
    assert SECRET not in "\n".join([*inside, *named])


def test_a_refusal_is_the_same_whether_the_secret_exists_or_not(files: Files) -> None:
    before = files.refusal("read", file_path="server.pem")
    files.write("server.pem", SECRET)

    assert files.refusal("read", file_path="server.pem") == before


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "sub/../../outside.txt",
        "../root/../outside.txt",
        "{outside}",
        "/etc/passwd",
        "/etc/nobody-has-this",
        "../nobody-has-this",
        "link-to-file",
        "link-to-folder/outside.txt",
        "link-to-link",
        "sub/link-up/../outside.txt",
        "dangling",
    ],
)
def test_nothing_outside_the_root_is_read_listed_or_searched(
    files: Files, tmp_path: Path, path: str
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text(SECRET)
    files.write("sub/inside.txt")
    (files.root / "link-to-file").symlink_to(outside)
    (files.root / "link-to-folder").symlink_to(tmp_path)
    (files.root / "link-to-link").symlink_to(files.root / "link-to-file")
    (files.root / "sub/link-up").symlink_to("../..")
    (files.root / "dangling").symlink_to(tmp_path / "nobody-has-this")
    path = path.format(outside=outside)

    refusals = [
        files.refusal("read", file_path=path),
        files.refusal("list", path=path),
        files.refusal("glob", pattern="*", path=path),
        files.refusal("grep", pattern="planted", path=path),
    ]

    assert not any(SECRET in refusal for refusal in refusals)
    assert all("outside the root" in text or "does not exist" in text for text in refusals)


def test_links_that_lead_outside_or_to_a_secret_show_up_nowhere(
    files: Files, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/far.txt").write_text(SECRET)
    files.write(".env", SECRET)
    files.write("real.txt", "hello")
    (files.root / "far").symlink_to(tmp_path / "outside")
    (files.root / "far.txt").symlink_to(tmp_path / "outside/far.txt")
    (files.root / "settings.txt").symlink_to(".env")
    (files.root / "alias.txt").symlink_to("real.txt")

    assert files.text("list") == "alias.txt  5 bytes\nreal.txt  5 bytes"
    assert files.text("glob", pattern="**/*.txt") == "real.txt"
    assert files.text("glob", pattern="far/*").startswith("no matches")
    assert files.text("grep", pattern="planted") == "no matches"
    assert files.text("read", file_path="alias.txt") == "hello"
    assert "leads to a forbidden file" in files.refusal("read", file_path="settings.txt")
    assert "leads to a forbidden file" in files.refusal("grep", pattern="p", path="settings.txt")


def test_a_loop_of_links_is_refused(files: Files) -> None:
    (files.root / "a").symlink_to("b")
    (files.root / "b").symlink_to("a")

    assert "cannot be followed" in files.refusal("read", file_path="a")
    assert files.text("glob", pattern="**/*").startswith("no matches")


@pytest.mark.parametrize("pattern", ["../*", "sub/../../*", "/etc/*", "~/x", "{a,../outside*}"])
def test_a_glob_pattern_cannot_climb_out(files: Files, tmp_path: Path, pattern: str) -> None:
    (tmp_path / "outside.txt").write_text(SECRET)
    files.write("sub/inside.txt")

    refusal = files.refusal("glob", pattern=pattern)

    assert "relative" in refusal or ".." in refusal


def test_an_absolute_path_below_the_root_is_fine(files: Files) -> None:
    inside = files.write("sub/inside.txt")

    assert files.text("read", file_path=str(inside)) == "hello\n"


def test_a_hidden_folder_above_the_root_does_not_matter(tmp_path: Path) -> None:
    root = tmp_path / ".cache" / "project"
    root.mkdir(parents=True)
    files = Files(root)
    files.write("a.txt")

    assert files.text("read", file_path="a.txt") == "hello\n"
    assert files.text("glob", pattern="*") == "a.txt"


def test_a_root_that_is_itself_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    files = Files(tmp_path / "link")
    files.write("a.txt")

    assert files.text("read", file_path="a.txt") == "hello\n"
    assert files.text("read", file_path=str(tmp_path / "link/a.txt")) == "hello\n"
    assert files.text("list") == "a.txt  6 bytes"


@pytest.mark.parametrize("tool", ["read", "grep"])
def test_a_pipe_is_refused_without_waiting_for_it(files: Files, tool: str) -> None:
    os.mkfifo(files.root / "pipe")
    arguments = {"file_path": "pipe"} if tool == "read" else {"pattern": "x", "path": "pipe"}

    assert "not an ordinary file" in files.refusal(tool, **arguments)
    assert files.text("grep", pattern="x") == "no matches"
    assert files.text("list") == "pipe  not an ordinary file"


def test_a_path_with_a_nul_character_is_refused(files: Files) -> None:
    assert "NUL" in files.refusal("read", file_path="a\0b")


def test_a_root_that_does_not_exist_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such folder"):
        file_tools(tmp_path / "missing")


def test_a_root_that_is_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")

    with pytest.raises(ConfigurationError, match="is a file"):
        file_tools(tmp_path / "file.txt")
