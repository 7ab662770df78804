import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hullwatch.cli import outputs as verbs
from hullwatch.cli.config import schema as print_schema
from hullwatch.cli.config import show
from hullwatch.cli.errors import run_safely
from hullwatch.config import load
from hullwatch.counters import Counters
from hullwatch.outputs.configured import options_of
from hullwatch.outputs.router import Router
from tests.receivers import WebReceiver, alert, placement, wait_until


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    made = WebReceiver()
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path, web: WebReceiver) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(
        f'[directories]\nstate = "state"\n[outputs.hook]\ntype = "http"\nurl = "{web.url}in/T0SECRET99"\n'
        f'headers = {{Authorization = "Bearer ${{TOKEN}}"}}\n[outputs.log]\ntype = "file"\npath = "log"\n'
    )
    return path


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Verb = Callable[..., Done]


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verb:
    """Call a verb with the configuration; no secret of it may be in what it prints."""
    monkeypatch.setenv("TOKEN", "hunter2hunter2")
    monkeypatch.setattr("hullwatch.config.layers.configuration_files", lambda _: [])  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]

    def call(verb: Callable[..., int], *arguments: str, **options: Any) -> Done:
        code = run_safely(lambda: verb(*arguments, config_file=str(config), **options))
        out, err = capsys.readouterr()
        for secret in ("T0SECRET99", "hunter2"):
            assert secret not in out + err
        return Done(code, out, err)

    return call


def test_a_test_alert_says_that_it_is_one_and_the_answer_is_told(run: Verb, web: WebReceiver) -> None:
    done = run(verbs.try_output, "hook")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("was delivered to hook: 200 OK: thanks\n")
    [request] = web.requests
    assert request.headers["authorization"] == "Bearer hunter2hunter2"
    assert request.json["rule"] == "Test of an output"
    assert "nothing has happened" in request.json["output"]
    assert request.json["output_fields"]["hullwatch.test"] is True


def test_a_test_that_fails_says_why_and_hides_secrets(run: Verb, web: WebReceiver) -> None:
    web.behave = lambda _: (403, "hunter2hunter2 is wrong for /in/T0SECRET99\x1b[2J")
    done = run(verbs.try_output, "hook")
    assert done.returncode == 3
    assert done.stderr == (
        "The test of hook did not arrive: 127.0.0.1 answers 403 Forbidden: *** is wrong for ***\\x1b[2J\n"
    )
    answered = run(verbs.try_output, "hook", output="json")
    assert answered.returncode == 3
    assert json.loads(answered.stdout)["delivered"] is False


def test_a_dry_run_sends_nothing_and_prints_what_it_would(run: Verb, web: WebReceiver) -> None:
    done = run(verbs.try_output, "hook", dry_run=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"POST http://127.0.0.1:{web.port}/***\n")
    assert "Authorization: ***\n" in done.stdout
    assert not web.requests


def test_list_and_retry_tell_of_what_a_run_has_left(run: Verb, config: Path, web: WebReceiver, tmp_path: Path) -> None:
    before = run(verbs.list_outputs)
    assert before.returncode == 0
    assert "has not run with outputs" in before.stderr
    web.behave = lambda body: (422, "no hunter2hunter2") if b"/etc/1" in body else (200, "")
    settings = load({}, str(config), {}, [], options_of).settings
    router = Router(settings, Counters(), tmp_path / "state" / "outputs")
    alerts = [alert(number) for number in range(3)]
    router.take(alerts, [placement(one) for one in alerts])
    wait_until(lambda: router.status()[0].refused == 1 and router.status()[1].delivered == 3)
    router.close()
    listed = run(verbs.list_outputs)
    rows = [line.split() for line in listed.stdout.splitlines()]
    assert rows[1][:7] == ["hook", "http", "working", "0", "2", "0", "1"]
    assert "422 Unprocessable Entity: no ***" in listed.stdout
    assert rows[2][:7] == ["log", "file", "working", "0", "3", "0", "0"]
    document = json.loads(run(verbs.list_outputs, output="json").stdout.splitlines()[0])
    assert (document["name"], document["delivered"], document["dead_letters"]) == ("hook", 2, 1)

    retried = run(verbs.retry, "hook")
    assert "1 message that hook had refused will be sent again" in retried.stdout
    assert run(verbs.retry, "hook").stdout == "The receiver of hook has refused nothing.\n"


def test_an_output_that_there_is_not_is_a_sentence(run: Verb) -> None:
    done = run(verbs.try_output, "hok")
    assert done.returncode == 2
    assert done.stderr == 'There is no output "hok" (did you mean "hook"?)\n'


def test_config_show_hides_secrets_and_the_schema_knows_the_types(
    run: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run(show).stdout
    assert "outputs.hook.headers" in shown
    capsys.readouterr()
    assert print_schema() == 0
    schema = json.loads(capsys.readouterr().out)
    kinds = schema["$defs"]["Settings"]["properties"]["outputs"]["additionalProperties"]["discriminator"]["mapping"]
    assert {"file", "syslog", "http", "falcosidekick", "alertmanager", "program"} <= set(kinds)
    assert "signature_secret_file" in schema["$defs"]["HttpOptions"]["properties"]
    assert schema["$defs"]["HttpOptions"]["properties"]["timeout"]["default"] == "10s"
