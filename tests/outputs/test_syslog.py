import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.errors import CannotError, UsageError
from hullwatch.outputs.output import Context, Message, UnreachableError
from hullwatch.outputs.syslog import Syslog, SyslogOptions
from tests.receivers import HOSTILE, alert, free_port, hostile_alert, placement, wait_until

RSYSLOG = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
needs_rsyslog = pytest.mark.skipif(
    not Path(RSYSLOG).exists(), reason="rsyslogd of the Debian package rsyslog is needed"
)


def message(number: int = 0, of: Any = None, body: bytes | None = None) -> Message:
    made = of or alert(number)
    return Message(
        id=made.id or "id",
        kind="alert",
        key="i1",
        alert=made,
        placement=placement(made),
        body=body if body is not None else b'{"number":%d}' % number,
    )


def syslog(tmp_path: Path, url: str, **options: Any) -> tuple[Syslog, Counter[str]]:
    counted: Counter[str] = Counter()

    def count(reason: str, number: int) -> None:
        counted[reason] += number

    made = msgspec.convert({"type": "syslog", "url": url, "timeout": 2.0, **options}, SyslogOptions)
    return Syslog(made, Context("siem", tmp_path, count)), counted


def frame(tmp_path: Path, of: Message, **options: Any) -> bytes:
    return syslog(tmp_path, "udp://127.0.0.1", **options)[0].preview(of)


def test_a_message_has_the_form_of_rfc_5424(tmp_path: Path) -> None:
    assert frame(tmp_path, message(5)) == (
        b"<132>1 2026-11-21T23:40:05.001002Z node1 hullwatch - alert "
        b'[hullwatch@32473 id="run-5" rule="Rule 0" priority="Warning" issue="i0" incident="n1"] {"number":5}'
    )


def test_facility_name_and_structure_can_be_set(tmp_path: Path) -> None:
    of = message(5, alert(5, priority="Emergency"))
    made = frame(tmp_path, of, facility="auth", app_name="guard", structured=False)
    assert made == b'<32>1 2026-11-21T23:40:05.001002Z node1 guard - alert - {"number":5}'


def test_hostile_texts_stay_in_their_places(tmp_path: Path) -> None:
    made = frame(tmp_path, message(1, hostile_alert(1), body=b"a\nb\0c\rd \xc3\xa9")).decode()
    assert made.replace("\ufeff", "").isprintable()
    head, _, rest = made.partition(" [")
    assert len(head.split(" ")) == 6
    values = re.fullmatch(r'hullwatch@32473((?: \w+="(?:[^"\\\]]|\\["\\\]])*")+)\] \ufeffa\\nb\\0c\\rd é', rest)
    assert values is not None
    assert len(values[1]) < 1200


def test_a_datagram_that_is_too_long_is_cut_between_characters_and_counted(tmp_path: Path) -> None:
    made, counted = syslog(tmp_path, "udp://127.0.0.1", largest_datagram=1000)
    cut = made.preview(message(1, body="é".encode() * 5000))
    assert 990 <= len(cut) <= 1000
    assert cut.endswith("é...(cut)".encode())
    assert counted == {"larger than largest_datagram": 1}


@pytest.mark.parametrize("url", ["http://x:1", "udp://", "tcp://host:99999", "nothing"])
def test_a_wrong_url_is_a_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match=r"outputs\.siem: url"):
        syslog(tmp_path, url)


def test_a_file_for_tls_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotError, match="ca_file: /not/there cannot be used: No such file"):
        syslog(tmp_path, "tls://localhost", ca_file="/not/there")


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    port = free_port()
    made, _ = syslog(tmp_path, f"tcp://127.0.0.1:{port}")
    with pytest.raises(UnreachableError, match=f"127.0.0.1 port {port}: Connection refused"):
        made.send([message()])


def test_a_server_that_reads_nothing_is_unreachable_after_the_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        made, _ = syslog(tmp_path, f"tcp://127.0.0.1:{server.getsockname()[1]}", timeout=0.3)
        with pytest.raises(UnreachableError, match=r"does not answer within 0\.3 s"):
            made.send([message(body=b"x" * 200_000)] * 100)


def frames_of(stream: bytes) -> list[bytes]:
    found: list[bytes] = []
    while stream:
        size, _, rest = stream.partition(b" ")
        found.append(rest[: int(size)])
        stream = rest[int(size) :]
    return found


def test_what_a_server_may_not_have_read_when_it_ended_is_sent_again(tmp_path: Path) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    made, _ = syslog(tmp_path, f"tcp://127.0.0.1:{server.getsockname()[1]}")
    made.send([message(1), message(2)])
    accepted, _ = server.accept()
    accepted.close()  # without reading
    wait_until(lambda: _tries(made, message(3)))
    again, _ = server.accept()
    received = b""
    again.settimeout(2)
    while b'{"number":3}' not in received:
        received += again.recv(65536)
    assert [one.rpartition(b" ")[2] for one in frames_of(received)][:3] == [b'{"number":%d}' % n for n in (1, 2, 3)]
    again.close()
    server.close()
    made.close()


def _tries(made: Syslog, one: Message) -> bool:
    try:
        made.send([one])
    except UnreachableError:
        return False
    return True


class Rsyslog:
    """A rsyslogd of one's own, which writes what it gets to a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.udp, self.tcp, self.tls = free_port(socket.SOCK_DGRAM), free_port(), free_port()
        self._authority()
        self.log = directory / "received"
        configuration = directory / "rsyslog.conf"
        configuration.write_text(
            f"""
global(workDirectory="{directory}" maxMessageSize="1m" net.enableDNS="off"
       parser.escapeControlCharactersOnReceive="off"
       defaultNetstreamDriverCAFile="{directory}/ca.pem" defaultNetstreamDriverCertFile="{directory}/cert.pem"
       defaultNetstreamDriverKeyFile="{directory}/key.pem")
module(load="imudp") module(load="imptcp") module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"
       streamDriver.authMode="x509/certvalid")
template(name="own" type="string"
         string="%pri-text%|%timereported:::date-rfc3339%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n")
ruleset(name="file") {{ action(type="omfile" file="{self.log}" template="own" flushOnTXEnd="on") }}
input(type="imudp" address="127.0.0.1" port="{self.udp}" ruleset="file")
input(type="imptcp" address="127.0.0.1" port="{self.tcp}" ruleset="file")
input(type="imtcp" address="127.0.0.1" port="{self.tls}" ruleset="file")
"""
        )
        self._configuration = configuration
        self.start()

    def _authority(self) -> None:
        def openssl(*arguments: str) -> None:
            subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        authority = ("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-addext", "keyUsage=keyCertSign")
        openssl("req", "-x509", *key, *authority)
        openssl("req", "-new", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
        (self.directory / "extensions").write_text("subjectAltName=DNS:localhost\n")
        signed = ("-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "cert.pem", "-CAcreateserial")
        openssl("x509", "-req", *signed, "-extfile", "extensions")

    def start(self) -> None:
        command = [RSYSLOG, "-n", "-f", str(self._configuration), "-i", str(self.directory / "pid")]
        self._errors = (self.directory / "errors").open("ab")
        self.process = subprocess.Popen(command, stdout=self._errors, stderr=self._errors)
        for port in (self.tcp, self.tls):
            wait_until(lambda port=port: self._listens(port), 10)

    def _listens(self, port: int) -> bool:
        assert self.process.poll() is None, (self.directory / "errors").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._errors.close()

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def bodies(self) -> list[str]:
        return [line.rpartition("|")[2].strip() for line in self.lines]


@pytest.fixture(scope="module")
def rsyslog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    made = Rsyslog(tmp_path_factory.mktemp("rsyslog"))
    yield made
    made.kill()


@needs_rsyslog
@pytest.mark.parametrize("scheme", ["udp", "tcp", "tls"])
def test_a_real_server_understands_every_part(rsyslog: Rsyslog, tmp_path: Path, scheme: str) -> None:
    port = getattr(rsyslog, scheme)
    tls = {f"{name}_file": str(rsyslog.directory / f"{file}.pem") for name, file in _FILES} if scheme == "tls" else {}
    made, _ = syslog(tmp_path, f"{scheme}://localhost:{port}", **tls)
    body = f"from {scheme} {{}}é".encode()
    made.send([message(1, alert(1, hostname=f"host-{scheme}"), body=body)])
    wait_until(lambda: any(f"host-{scheme}" in line for line in rsyslog.lines))
    [line] = [line for line in rsyslog.lines if f"host-{scheme}" in line]
    assert line.replace("\ufeff", "") == (
        f"local0.warning|2026-11-21T23:40:05.001002+00:00|host-{scheme}|hullwatch|alert|"
        f'[hullwatch@32473 id="run-1" rule="Rule 0" priority="Warning" issue="i0" incident="n1"]|from {scheme} {{}}é'
    ).replace("+00:00", line.split("|")[1][26:])
    made.close()


_FILES = [("ca", "ca"), ("certificate", "cert"), ("key", "key")]


@needs_rsyslog
@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_hostile_texts_are_one_line_at_a_real_server(rsyslog: Rsyslog, tmp_path: Path, scheme: str) -> None:
    made, _ = syslog(tmp_path, f"{scheme}://127.0.0.1:{getattr(rsyslog, scheme)}")
    of = hostile_alert(1)
    before = len(rsyslog.lines)
    made.send(
        [message(1, of, body=b'first\nsecond\0"third"'), message(2, alert(2), body=b"the next " + scheme.encode())]
    )
    wait_until(lambda: any(f"the next {scheme}" in line for line in rsyslog.lines))
    lines = rsyslog.lines[before:]
    assert len(lines) == 2
    assert lines[0].replace("\ufeff", "").isprintable()
    assert 'first\\nsecond\\0"third"' in lines[0]
    assert HOSTILE[:4] not in lines[0]
    made.close()


@needs_rsyslog
def test_a_certificate_of_an_unknown_authority_is_not_trusted(rsyslog: Rsyslog, tmp_path: Path) -> None:
    made, _ = syslog(tmp_path, f"tls://localhost:{rsyslog.tls}")
    with pytest.raises(UnreachableError, match=r"self-signed certificate|unable to get local issuer"):
        made.send([message()])


@needs_rsyslog
def test_a_certificate_of_another_name_is_not_trusted(rsyslog: Rsyslog, tmp_path: Path) -> None:
    made, _ = syslog(tmp_path, f"tls://127.0.0.1:{rsyslog.tls}", ca_file=str(rsyslog.directory / "ca.pem"))
    with pytest.raises(UnreachableError, match="IP address mismatch"):
        made.send([message()])


@needs_rsyslog
def test_a_real_server_that_is_killed_and_started_again_misses_nothing(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    server = Rsyslog(tmp_path / "server")
    made, _ = syslog(tmp_path, f"tcp://127.0.0.1:{server.tcp}")

    def send(number: int) -> None:
        wait_until(lambda: _tries(made, message(number, body=b"number %d" % number)))

    for number in range(50):
        send(number)
    server.kill()
    restart = threading.Thread(target=server.start)
    restart.start()
    for number in range(50, 100):
        send(number)
    restart.join()
    wait_until(lambda: set(server.bodies()) >= {f"number {number}" for number in range(100)})
    first = list(dict.fromkeys(server.bodies()))
    assert first == [f"number {number}" for number in range(100)]
    server.kill()
    made.close()


def test_a_server_that_speaks_no_tls_is_unreachable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            accepted, _ = server.accept()
            accepted.recv(100)
            accepted.sendall(b"HTTP/1.1 400 what is this\r\n\r\n")
            time.sleep(0.2)
            accepted.close()

        threading.Thread(target=answer, daemon=True).start()
        made, _ = syslog(tmp_path, f"tls://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(UnreachableError):
            made.send([message()])
