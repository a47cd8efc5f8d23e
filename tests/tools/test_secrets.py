"""The process's credentials never show, in whatever form or pieces they come."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.tools.redactor import Redactor, StreamRedactor
from tests.planted import encoded_everyhow

KEY = "sk-ant-Pl4nt/ed+k\"ey='ü"
ENVIRON = {
    "ANTHROPIC_API_KEY": KEY,
    "OTHER_TOKEN": "sk-ant-Pl4nt",
    "DATABASE_URL": "postgresql://analyst:c0rrect%40horse@db.example:5432/sales",
}
LABEL = "[secret MY_API_KEY]"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTHROPIC_API_KEY", "sk-ant-api03-x"),
        ("ANTHROPIC_AUTH_TOKEN", "token-12345"),
        ("ANTHROPIC_CUSTOM_HEADERS", "X-Key: abcdef123"),
        ("OPENAI_API_KEY", "sk-12345678"),
        ("github_token", "ghp_12345678"),
        ("JUPYTER_TOKEN", "0123456789abcdef"),
        ("HF_TOKEN", "hf_12345678"),
        ("CLIENT_SECRET_VALUE", "s3cr3t-value"),
        ("PGPASSWORD", "12345678"),
        ("DB_PASSWORD", "/looks+like/a=path"),
        ("AWS_SECRET_ACCESS_KEY", "/Xq3vK9m+aaaabbbbccccddddeeeeffff0000111"),
        ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzE"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("ENCRYPTION_KEY", "0011aabbccdd"),
        ("SENTRY_DSN", "https://0123abcd@o1.ingest.example/7"),
        ("REPORTS_DSN", "host=db user=me password=xyz12345"),
        ("TWILIO_SK", "0123abcd4567"),
        ("APP_BEARER", "abcd-efgh-1234"),
        ("CRAWLER_COOKIE", "sid=abcdef0123"),
        ("SESSION_COOKIE_VALUE", "abcdef0123"),
        ("DEPLOY_WEBHOOK", "https://hooks.example/T0/B1/abc"),
        ("SLACK_WEBHOOK_URL", "https://hooks.example/T0/B1/abc"),
        ("SERVICE_JWT", "aaaabbbbcccc"),
        ("PASS", "s3cr3t-pass"),
        ("DB_PASS", "s3cr3t-pass"),
        ("PASSKEY", "s3cr3t-pass"),
        ("REGISTRY_AUTH", "bWU6eHl6MTIzNDU="),
        ("HTTP_AUTHORIZATION", "Digest abc0123"),
        ("NPM_AUTH", "abc-0123-def"),
        ("SIGNING_SEED", "abc-0123-def"),
        ("CLOUD_CREDS", "abc-0123-def"),
        ("default_session().account", "abc-0123-def"),
        ("WEB_SESSION", "abc-0123-def"),
        ("SESSION_ID", "abc-0123-def"),
        ("SESSIONID", "abc-0123-def"),
        ("MYJWT", "abc-0123-def"),
    ],
)
def test_a_credential_of_the_environment_is_replaced_in_full(name: str, value: str) -> None:
    text = Redactor({name: value}).redact(f"before {value} after")

    assert text == f"before [secret {name}] after"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:8000"),
        ("ANTHROPIC_COST_BUDGET", "12.50000"),
        ("ANTHROPIC_TOKEN_BUDGET", "1000000000"),
        ("ANTHROPIC_MODEL", "claude-opus-5-5"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_PROFILE", "analysis-team"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json"),
        ("SSH_PRIVATE_KEY", "~/secrets/id_rsa"),
        ("SSL_KEY", "C:\\certs\\tls.key"),
        ("TOKENIZERS_PARALLELISM", "disabled"),
        ("MAX_TOKEN", "1_000_000.0"),
        ("SHORT_API_KEY", "1234567"),
        ("USE_API_KEY", "true"),
        ("POSTGRES_PASSWORD", "postgres"),
        ("PWD", "/srv/folder"),
        ("HOME", "/home/somebody"),
        ("EDITOR", "emacs-nox"),
        ("EMPTY_TOKEN", ""),
        ("GIT_AUTHOR_NAME", "Ada Lovelace"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_AUTHOR_DATE", "Thu, 07 Apr 2005 22:13:13 +0200"),
        ("CI_COMMIT_AUTHOR", "Ada Lovelace <ada@example.org>"),
        ("SSH_AUTH_SOCK", "/private/tmp/com.apple.launchd.x/Listeners"),
        ("SSH_ASKPASS_REQUIRE", "preferred"),
        ("XAUTHORITY", "/run/user/1000/gdm/Xauthority"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"),
        ("JPY_SESSION_NAME", "notebooks/first.ipynb"),
        ("XDG_SESSION_ID", "session-12"),
        ("XDG_SESSION_TYPE", "wayland-0"),
        ("XDG_SESSION_DESKTOP", "ubuntu-xorg"),
        ("XDG_SESSION_PATH", "/org/freedesktop/DisplayManager/Session0"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus"),
        ("DESKTOP_SESSION", "plasmawayland"),
        ("GDMSESSION", "ubuntu-xorg"),
        ("SESSION_MANAGER", "local/host:@/tmp/.ICE-unix/1234"),
        ("SESSIONNAME", "RDP-Tcp#12"),
        ("WT_SESSION", "0a1b2c3d-0000-1111-2222-333344445555"),
        ("TERM_SESSION_ID", "w0t0p0:0A1B2C3D-0000-1111"),
        ("JUPYTERHUB_OAUTH_SCOPES", '["access:servers!server=ada/"]'),
        ("JUPYTERHUB_OAUTH_CALLBACK_URL", "/user/ada/oauth_callback"),
        ("AWS_ROLE_SESSION_NAME", "ada-laptop"),
        ("JWT_ALGORITHM", "HS256-HS512"),
        ("COOKIE_DOMAIN", "example.org"),
        ("PASSENGER_APP_ENV", "production-eu"),
        ("PASSIVE_FTP", "sometimes"),
        ("AUTH_METHOD", "certificate"),
        ("DATABASE_DSN", "sqlite:///orders.db"),
        ("CONDA_PROMPT_MODIFIER", "(analysis) "),
        ("CODE_SIGNING_ALLOWED", "sometimes"),
    ],
)
def test_what_is_no_secret_is_left_alone(name: str, value: str) -> None:
    text = f"before {value} after"

    assert Redactor({name: value}).redact(text) == text


@pytest.mark.parametrize(
    "value",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1" * 20,
        "glpat-" + "a1" * 10,
        "xoxb-" + "123456789012-abcdef",
        "https://hooks.slack.com/services/" + "T012/B345/abcdef",
        "sk_live_" + "a1" * 12,
        "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3",
        "npm_" + "a1" * 18,
        "pypi-AgEIcHlwaS5vcmc" + "a1" * 40,
        "SG." + "a" * 22 + "." + "b" * 43,
        "SK" + "a1" * 16,
        "AIza" + "a" * 35,
        "hf_" + "a1" * 17,
        "sk-" + "a1" * 10 + "T3BlbkFJ" + "a1" * 10,
        "sk-proj-" + "a1" * 20,
        "sk-ant-" + "api03-abcdefgh",
    ],
)
def test_a_credential_is_known_by_its_shape_in_a_variable_of_any_name(value: str) -> None:
    redactor = Redactor({"NOTES": f"use {value}, please"})

    assert redactor.redact(f"<{value}>") == "<[secret NOTES]>"


def test_other_shapes_are_known_in_the_middle_of_a_value() -> None:
    key = "a1" * 44
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END RSA PRIVATE KEY-----"
    redactor = Redactor({"BLOB": f"AccountName=x;AccountKey={key};Suffix=y", "NOTES": pem})

    assert redactor.redact(key) == "[secret BLOB]"
    assert redactor.redact("MIIEvQIBADANBgkqhkiG") == "[secret NOTES]"


def test_the_password_in_a_url_is_replaced_in_any_variable() -> None:
    redactor = Redactor({"DATABASE_URL": "postgresql://me:c0rrect%40horse@db:5432/sales"})

    assert redactor.redact("postgresql://me:c0rrect%40horse@db") == (
        "postgresql://me:[secret DATABASE_URL]@db"
    )
    assert redactor.redact("password=c0rrect@horse") == "password=[secret DATABASE_URL]"


def test_values_given_beside_the_environment_are_replaced_too() -> None:
    redactor = Redactor({}, [("api_key of the client", "given-by-hand")])

    assert redactor.redact("x given-by-hand") == "x [secret api_key of the client]"
    assert redactor.names == ["api_key of the client"]


def test_the_lines_of_a_long_secret_count_on_their_own() -> None:
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nw0BAQEFAASCBKcwggSj\n-----END KEY-----"

    text = Redactor({"TLS_PRIVATE_KEY": pem}).redact("a.txt:2:MIIEvQIBADANBgkqhkiG")

    assert text == "a.txt:2:[secret TLS_PRIVATE_KEY]"


def test_the_key_behind_a_scheme_counts_on_its_own() -> None:
    redactor = Redactor({"ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer abcdef123456"})

    assert redactor.redact("key abcdef123456") == "key [secret ANTHROPIC_CUSTOM_HEADERS]"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        json.dumps(KEY),
        json.dumps(KEY, ensure_ascii=False),
        json.dumps(KEY).replace("/", "\\/"),
        quote(KEY),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
    ],
)
def test_escaped_forms_are_replaced_too(form: str) -> None:
    redactor = Redactor({"MY_API_KEY": KEY.lower() if form.islower() else KEY})

    assert "[secret MY_API_KEY]" in redactor.redact(f"<{form}>")


@pytest.mark.parametrize(
    "value",
    [
        'pa"ss\\word-1',
        "pa'ss\\word-1",
        "pa'ss\"word-1",
        "pass\tw\u00f6rd-1",
        "\x07pass\x1b\\'word-1",
        "pa\u4e2d'\"\U0001f511\u2028word-1",
    ],
)
@pytest.mark.parametrize("around", ["{}", "it's {}", 'say "{}"', 'it\'s "{}"\n'])
def test_what_python_writes_of_a_secret_is_replaced_too(value: str, around: str) -> None:
    text, redactor = around.format(value), Redactor({"MY_API_KEY": value})
    written = [repr(text), ascii(text), str(KeyError(text)), repr({text: [text]}), repr({text})]
    written += [repr(text.encode()), repr([bytearray(text.encode())])]
    written += ['"' + repr(text + "'\"")[1:-1].replace("\\'", "'").replace('"', '\\"') + '"']

    for one in written:
        shown = redactor.redact(one)
        assert LABEL in shown
        assert "word-1" not in shown


def test_what_comes_later_is_learnt_and_nothing_is_forgotten() -> None:
    environ, named = {"FIRST_API_KEY": "k-12345678"}, [("customer", "Ada Lovelace")]
    redactor, text = Redactor(environ, named), "Grace Hopper, Ada Lovelace, k-12345678, k-87654321"
    stream = StreamRedactor(redactor)
    pieces = [stream.feed("k-8765")]
    del environ["FIRST_API_KEY"]
    environ["MY_API_KEY"], named[0] = "k-87654321", ("customer", "Grace Hopper")

    assert redactor.redact(text).startswith("Grace Hopper, [secret customer], [secret FIRST")
    redactor.refresh()
    assert redactor.redact(text) == (
        "[secret customer], [secret customer], [secret FIRST_API_KEY], [secret MY_API_KEY]"
    )
    assert redactor.names == ["FIRST_API_KEY", "MY_API_KEY", "customer"]
    pieces += [stream.feed("k-8765"), stream.feed("4321"), stream.flush()]
    assert "".join(pieces) == f"k-8765{LABEL}"


def test_base64_and_hex_forms_are_replaced_too() -> None:
    redactor = Redactor({"MY_API_KEY": KEY})
    data = KEY.encode()

    assert redactor.redact(f"<{data.hex()}|{data.hex().upper()}>") == f"<{LABEL}|{LABEL}>"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(data).decode()
        assert redactor.redact(f"<{alone}>") == f"<{LABEL}>"
        for user in (b"a:", b"me:", b"you:", b""):
            for after in (b"", b"!", b"!!"):
                shown = redactor.redact(encode(user + data + after).decode())
                assert LABEL in shown
                left = shown.replace(LABEL, "")
                assert len(left) <= len(encode(user + after)) + 4
    assert LABEL in redactor.redact(quote(base64.b64encode(data).decode()))


@pytest.mark.parametrize("between", ["\x1b[01;31m", "\x1b[m\x1b[K", "\x1b]0;x\x07", "\ufeff"])
def test_a_secret_with_terminal_escapes_in_it_is_replaced(between: str) -> None:
    redactor = Redactor({"MY_API_KEY": KEY})

    assert redactor.redact(f"a {between}{KEY[:6]}{between}{KEY[6:]} b") == f"a {LABEL} b"
    assert redactor.redact(f"a {between}other b") == f"a {between}other b"
    assert redactor.names_in({"x": [f"{KEY[:6]}{between}{KEY[6:]}"]}) == ["MY_API_KEY"]


def test_base64_of_something_else_is_left_alone() -> None:
    redactor = Redactor({"MY_PASSWORD": "hunter2!", "OTHER_TOKEN": "aaaaaaaaaaaa"})
    text = base64.b64encode(bytes(range(256)) * 40).decode() + " hunter2 aaaaaaaaaaa"

    assert redactor.redact(text) == text


def test_what_becomes_the_same_name_is_not_lost() -> None:
    redacted = Redactor({"MY_API_KEY": "k-12345678"}).redact(
        {"k-12345678": 1, "[secret MY_API_KEY]": 2}
    )

    assert redacted == {"[secret MY_API_KEY]": 1, "[secret MY_API_KEY] 2": 2}


def test_a_longer_secret_goes_before_a_shorter_one_inside_it() -> None:
    assert Redactor(ENVIRON).redact(KEY) == "[secret ANTHROPIC_API_KEY]"


def test_json_structures_are_walked() -> None:
    value: dict[str, Any] = {"a": [KEY, 1, None], KEY: (KEY, True), "b": {"c": f"x{KEY}"}}
    label = "[secret ANTHROPIC_API_KEY]"

    assert Redactor(ENVIRON).redact(value) == {
        "a": [label, 1, None],
        label: (label, True),
        "b": {"c": f"x{label}"},
    }


def test_the_redactor_does_not_show_what_it_knows() -> None:
    assert KEY not in repr(Redactor(ENVIRON))


SECRETS = st.lists(st.text("ab/%+", min_size=8, max_size=12), max_size=4)


@given(secrets=SECRETS, data=st.data())
def test_a_stream_split_anywhere_shows_the_same_as_the_whole(
    secrets: list[str], data: st.DataObject
) -> None:
    redactor = Redactor({}, [(f"S{number}", secret) for number, secret in enumerate(secrets)])
    pieces = data.draw(st.lists(st.one_of(st.text("ab/% x", max_size=6), *map(st.just, secrets))))
    text = "".join(pieces)
    borders = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    cuts = [0, *borders, len(text)]
    stream = StreamRedactor(redactor)

    shown = [stream.feed(text[a:b]) for a, b in pairwise(cuts)]
    shown.append(stream.flush())

    assert "".join(shown) == redactor.redact(text)


@given(before=st.text(max_size=20), after=st.text(max_size=20), at=st.integers(1, len(KEY) - 1))
def test_no_part_of_a_secret_shows_while_it_streams(before: str, after: str, at: int) -> None:
    stream = StreamRedactor(Redactor({"MY_API_KEY": KEY}))

    first = stream.feed(before + KEY[:at])
    rest = stream.feed(KEY[at:] + after) + stream.flush()

    assert before.startswith(first)
    assert first + rest == f"{before}[secret MY_API_KEY]{after}"


@given(
    places=st.lists(st.sampled_from(encoded_everyhow(KEY).split(" ")), max_size=4),
    data=st.data(),
)
def test_encoded_secrets_in_a_stream_show_the_same_as_in_the_whole(
    places: list[str], data: st.DataObject
) -> None:
    redactor = Redactor({"MY_API_KEY": KEY})
    text = "|".join(places)
    borders = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    stream = StreamRedactor(redactor)

    shown = [stream.feed(text[a:b]) for a, b in pairwise([0, *borders, len(text)])]

    assert "".join([*shown, stream.flush()]) == redactor.redact(text)


def test_a_stream_holds_back_only_what_could_begin_a_secret() -> None:
    stream = StreamRedactor(Redactor({"MY_API_KEY": "abcdefgh"}))

    assert stream.feed("text ab") == "text "
    assert stream.feed("c") == ""
    assert stream.feed(" more") == "abc more"
    assert stream.flush() == ""
