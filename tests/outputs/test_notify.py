"""Against receivers on this machine: Apprise's json:// service, and mail to an SMTP server."""

import email
import email.policy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from msgspec.structs import replace

from hullwatch.errors import CannotError, UsageError
from hullwatch.formats.sample import sample_alert
from hullwatch.outputs.notify import Notify, NotifyOptions
from hullwatch.outputs.output import UnreachableError
from tests.outputs.messages import context, message
from tests.receivers import WebReceiver, free_port

# One of the library's 150 services imports what a later Python no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def service() -> Iterator[WebReceiver]:
    running = WebReceiver()
    yield running
    running.close()


class Mailbox:
    """Keeps the mails that come."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


def url_of(service: WebReceiver, path: str = "hook/s3cr3t") -> str:
    return f"json{service.url.removeprefix('http')}{path}"


def test_an_alert_is_told_with_what_happened_and_where(service: WebReceiver, tmp_path: Path) -> None:
    output = Notify(NotifyOptions(urls=(url_of(service),)), context(tmp_path))
    output.send([message(1)])
    told = service.requests[0].json
    assert service.requests[0].path.startswith("/hook/s3cr3t")
    assert told["type"] == "failure"
    assert told["title"] == "Error: Sensitive file read in a container (web, node1)"
    assert told["message"].splitlines()[:2] == [
        "A file of secrets is read (file=/etc/shadow command=cat /etc/shadow user=root)",
        "Where: web (registry.example/shop/web:1.27) on node1",
    ]
    assert told["message"].splitlines()[-1] == "Look at it: hullwatch incidents show n2f"
    assert output.answer == "told JSON (number 1)"


def test_an_incident_is_told_with_its_steps(service: WebReceiver, tmp_path: Path) -> None:
    output = Notify(NotifyOptions(urls=(url_of(service),)), context(tmp_path))
    output.send([message(1, kind="incident")])
    told = service.requests[0].json
    assert told["title"] == "Error: Credentials are read in web (score 71, node1)"
    assert "  22:40:05 Error: cat reads /etc/shadow, 3 times" in told["message"].splitlines()


def test_a_service_that_has_it_is_not_told_again_when_another_failed(service: WebReceiver, tmp_path: Path) -> None:
    broken = WebReceiver()
    answers = iter([500, 200, 200])
    broken.behave = lambda _: (next(answers), "")
    output = Notify(NotifyOptions(urls=(url_of(service), url_of(broken))), context(tmp_path))
    with pytest.raises(UnreachableError, match=r"JSON \(number 2\) was not told: .*500") as caught:
        output.send([message(1), message(2)])
    assert caught.value.delivered == 0
    output.send([message(1), message(2)])
    assert (len(service.requests), len(broken.requests)) == (2, 3)
    broken.close()


def test_addresses_are_in_no_sentence_and_the_library_writes_nothing_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = "json://user:passw0rd@127.0.0.1:1/hook/s3cr3t?token=abcdef"
    output = Notify(NotifyOptions(urls=(url,)), context(tmp_path))
    with pytest.raises(UnreachableError) as caught:
        output.send([message(1)])
    said = str(caught.value) + caplog.text
    assert not [part for part in ("passw0rd", "s3cr3t", "abcdef") if part in said]
    assert b"s3cr3t" not in output.preview(message(1))


def test_mail_has_hostile_texts_as_texts(tmp_path: Path) -> None:
    mailbox = Mailbox()
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=hullwatch@example.org&to=duty@example.org&mode=insecure"
        alert = replace(
            sample_alert(), message="<script>x</script>\r\nBcc: all@example.org\x1b[2J", rule="r\nSubject: x"
        )
        Notify(NotifyOptions(urls=(url,)), context(tmp_path)).send([message(1, alert=alert)])
    finally:
        controller.stop()
    (mail,) = mailbox.mails
    assert mail["Subject"] == r"Error: r\nSubject: x (web, node1)"
    assert mail["Bcc"] is None
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            content = part.get_content()
            assert "\x1b" not in content
            assert part.get_content_subtype() != "html" or "<script>" not in content


def test_chats_are_not_rung_by_a_text(service: WebReceiver, tmp_path: Path) -> None:
    alert = replace(sample_alert(), message="@here <!channel> @Everyone <@U123> a@b.example")
    Notify(NotifyOptions(urls=(url_of(service),)), context(tmp_path)).send([message(1, alert=alert)])
    told = service.requests[0].json["message"].splitlines()[0]
    assert told == "@ here < !channel> @ Everyone < @U123> a@b.example"


def test_a_wrong_url_is_told_by_its_number_and_a_missing_library_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"outputs\.siem: urls: number 2 is none") as caught:
        Notify(NotifyOptions(urls=("json://a.example/", "nope://s3cr3t")), context(tmp_path))
    assert "s3cr3t" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(CannotError, match=r"install .*\[notify\]"):
        Notify(NotifyOptions(urls=("json://a.example/",)), context(tmp_path))
