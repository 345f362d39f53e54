"""Settings: where they come from, what is refused, and that --help explains every one."""

from dataclasses import fields
from pathlib import Path

import pytest

from crdt.bounds import Bounds
from server.settings import Settings, SettingsError
from server.settings.options import sentences


def test_the_command_line_wins_over_the_environment() -> None:
    """A setting comes from the command line, else from the environment, else it is the default."""
    environ = {"PLAIT_PORT": "1", "PLAIT_NAME": "From the environment", "PORT": "3"}

    settings = Settings.load(["--port", "2"], environ)

    assert (settings.port, settings.name, settings.host) == (2, "From the environment", "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("port", "0", 0, id="whole number"),
        pytest.param("frame_bytes_max", "32MiB", 32 << 20, id="size with a unit"),
        pytest.param("rights_poll_s", "0.5", 0.5, id="number"),
        pytest.param("data", "/var/lib/x", Path("/var/lib/x"), id="path"),
        pytest.param("trusted_proxies", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1"), id="list"),
        pytest.param("trusted_proxies", "", (), id="empty list"),
        pytest.param("metrics_port", "", None, id="none"),
        pytest.param("metrics_port", "9100", 9100, id="number or none"),
        pytest.param("log_format", "json", "json", id="word"),
    ],
)
def test_a_value_is_read_by_its_type(name: str, text: str, value: object) -> None:
    """The same text means the same from either source."""
    by_option = Settings.load([f"--{name.replace('_', '-')}", text], {})
    by_variable = Settings.load([], {f"PLAIT_{name.upper()}": text})

    assert getattr(by_option, name) == getattr(by_variable, name) == value


@pytest.mark.parametrize(
    ("argv", "environ", "complaint"),
    [
        pytest.param(["--port", "x"], {}, "--port: 'x' is not a whole number", id="text"),
        pytest.param(["--port", "70000"], {}, "port must be between 0 and 65535", id="range"),
        pytest.param(["--prot", "1"], {}, "unrecognized arguments: --prot 1", id="typo"),
        pytest.param(["--por", "1"], {}, "unrecognized arguments: --por 1", id="short form"),
        pytest.param(["--port"], {}, "--port: expected one argument", id="no value"),
        pytest.param([], {"PLAIT_IDLE_S": "nan"}, "PLAIT_IDLE_S: 'nan' is not a number", id="nan"),
        pytest.param([], {"PLAIT_IDLE_S": "0"}, "idle_s must be more than 0", id="zero"),
        pytest.param(
            [], {"PLAIT_NESTING_MAX": "-1"}, "nesting_max must be more than 0", id="bound"
        ),
        pytest.param([], {"PLAIT_LOG_LEVEL": "loud"}, "is none of debug, info", id="word"),
        pytest.param(
            ["--keepalive-s", "90"], {}, "keepalive_s must not be more than idle_s", id="two"
        ),
        pytest.param(
            ["--commit-apart-ms", "-1"], {}, "commit_apart_ms must not be negative", id="sign"
        ),
        pytest.param(["--public-url", "plait.example"], {}, "must look like https://", id="url"),
        pytest.param(
            ["--database-url", "mysql://x"], {}, "must look like postgresql", id="database"
        ),
        pytest.param(["--trusted-proxies", "proxy"], {}, "neither an address nor", id="proxy"),
    ],
)
def test_a_bad_value_is_named_in_one_line(
    argv: list[str], environ: dict[str, str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, nothing on stdout, one line on stderr that says which setting and why."""
    with pytest.raises(SystemExit) as stopped:
        Settings.load(argv, environ)

    out, err = capsys.readouterr()
    assert (stopped.value.code, out, err.count("\n")) == (2, "", 1)
    assert complaint in err


def test_an_unknown_variable_is_mentioned_but_stops_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A misspelt variable is not silently without effect; one that others set does no harm."""
    Settings.load([], {"PLAIT_PROT": "1", "PLAIT_TEST_FULL": "1"})

    assert capsys.readouterr().err == "plait: PLAIT_PROT: there is no such setting (see --help)\n"


def test_help_explains_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """Each field stands there with its option, its variable and its sentence, and nothing fails."""
    with pytest.raises(SystemExit) as stopped:
        Settings.load(["--help"], {})

    text, says = capsys.readouterr().out, sentences(Settings)
    assert stopped.value.code == 0
    for field in fields(Settings):
        option = "--" + field.name.replace("_", "-")
        assert f"  {option}  [PLAIT_{field.name.upper()}]" in text
        assert says[field.name].endswith("."), field.name
        assert says[field.name] in text


def test_a_settings_object_cannot_be_impossible() -> None:
    """What the command line refuses, code cannot make either."""
    with pytest.raises(SettingsError, match="sweep_s must not be more than keepalive_s"):
        Settings(sweep_s=30.0)


def test_bounds_carry_every_setting_of_the_same_name() -> None:
    """A bound that the operator changes reaches `crdt`, the others keep their default."""
    bounds = Settings(nesting_max=7).bounds()

    assert bounds == Bounds(nesting_max=7)


def test_secrets_are_not_printed() -> None:
    """An object in a log or a traceback shows no key, token or password."""
    secret = "postgresql://plait:hunter2@db/plait"  # not a real one

    shown = repr(
        Settings(
            database_url=secret,
            metrics_token="hunter2",
            identity_key="hunter2",
            signing_key="hunter2",
        )
    )

    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("host", "public_url", "mode"),
    [
        pytest.param("127.0.0.1", "", "open", id="loopback"),
        pytest.param("::1", "http://localhost:8080", "open", id="loopback by name"),
        pytest.param("127.0.0.1", "https://plait.example", "approval", id="behind a proxy"),
        pytest.param("0.0.0.0", "", "approval", id="everywhere"),
        pytest.param("0.0.0.0", "http://localhost", "approval", id="everywhere, said local"),
    ],
)
def test_registration_is_open_only_where_nobody_else_arrives(
    host: str, public_url: str, mode: str
) -> None:
    """The default is open only when both the address and the public URL are loopback."""
    assert Settings(host=host, public_url=public_url).registration_mode() == mode


def test_registration_that_is_given_is_taken() -> None:
    """An operator's choice stands, whatever the address."""
    assert Settings(host="0.0.0.0", registration="open").registration_mode() == "open"


def test_commits_are_half_as_far_apart_where_other_nodes_wait_for_them() -> None:
    """And not at all where nobody is to wait."""
    assert Settings().commit_apart_s() == 0.008
    assert Settings(bus="notify").commit_apart_s() == 0.004
    assert Settings.load(["--commit-apart-ms", "0"], {}).commit_apart_s() == 0
