from typing import Any

import pytest

from hullwatch.errors import UsageError
from hullwatch.outputs.configured import Configured
from hullwatch.outputs.secrets import shown_url, with_secrets


def of(**table: Any) -> Configured:
    return Configured("hook", "http", {"type": "http", **table})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host", "http://host"),
        ("http://host:80/", "http://host:80/"),
        ("https://hooks.example/services/T0/B0/x?y#z", "https://hooks.example/***"),
        ("https://me:secret@[::1]:8/a", "https://***@[::1]:8/***"),
        ("${URL}", "${URL}"),
        ("https://${HOST}/x", "***"),
        ("no url", "***"),
        ("http://[", "***"),
        ("", ""),
    ],
)
def test_of_a_url_scheme_and_host_are_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_options_are_shown_without_secrets_but_with_where_they_come_from() -> None:
    one = of(
        url_file="/run/url",
        headers={"Authorization": "Bearer abc", "X": "${X}"},
        signature_secret="${KEY}",
        body="{{message}}",
    )
    assert one.shown == {
        "type": "http",
        "url_file": "/run/url",
        "headers": {"Authorization": "***", "X": "${X}"},
        "signature_secret": "${KEY}",
        "body": "{{message}}",
    }


def test_variables_are_put_in_only_where_a_secret_may_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1${B}")
    monkeypatch.setenv("B", "2")
    one = of(url="http://${A}/", headers={"H": "x${B}${A}$B"}, body="${A}")
    secrets = one.read_secrets()
    assert secrets == {"${A}": "1${B}", "${B}": "2"}
    assert with_secrets(one.table, one.leaves, secrets) == {
        "type": "http",
        "url": "http://1${B}/",
        "headers": {"H": "x21${B}$B"},
        "body": "${A}",
    }


def test_a_missing_variable_is_named_and_no_value_is() -> None:
    with pytest.raises(UsageError, match=r"outputs\.hook\.headers: there is no variable NOT_THERE") as raised:
        of(url="http://x", headers={"A": "hunter2 ${NOT_THERE}"}).read_secrets()
    assert "hunter2" not in str(raised.value)


def test_secrets_are_hidden_in_every_form_that_an_answer_may_have() -> None:
    one = of(url="https://me:pass%20word@host/services/T0SECRET99?key=value-of-key", signature_secret="o'p\"q s/é")
    hide = one.hidden({"${V}": "from-a-variable"})
    said = (
        "wrong: pass%20word me:pass%20word /services/T0SECRET99?key=value-of-key T0SECRET99 value-of-key "
        "o'p\"q s/é o%27p%22q%20s%2F%C3%A9 bydwInEgcy/DqQ== from-a-variable from%2Da-variable, but host is right"
    )
    hidden = hide(said)
    for secret in ("pass%20word", "T0SECRET99", "value-of-key", "o'p", "o%27p", "bydwInEg", "from-a-variable"):
        assert secret not in hidden
    assert hidden.endswith("host is right")
