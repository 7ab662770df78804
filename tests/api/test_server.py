"""The API as callers meet it: real sockets, real other users, and whoever means it badly."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.api.conftest import (
    HOSTILE,
    MANY,
    MEMBER,
    PATIENCE,
    SERVICE,
    STRANGER,
    answer_of,
    as_user,
    ask_as,
    hold,
    let_go,
    read_all,
)

if TYPE_CHECKING:
    from tests.api.conftest import Held


# ---- who


def test_the_socket_is_for_root_and_the_group_and_its_directory_shows_nothing(held: Held) -> None:
    found, around = held.path.stat(), held.run.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, SERVICE, 0o660)
    assert (around.st_uid, around.st_gid, stat.S_IMODE(around.st_mode)) == (0, SERVICE, 0o710)


def test_somebody_who_is_not_in_the_group_cannot_connect(held: Held) -> None:
    assert as_user(STRANGER, [], lambda: held.ask("/v1/version").status) == "PermissionError"
    assert as_user(MEMBER, [SERVICE], lambda: held.ask("/v1/version").status) == 200


def test_somebody_who_is_not_in_the_group_is_refused_also_where_the_mode_would_let_them_in(held: Held) -> None:
    held.run.chmod(0o711)
    held.path.chmod(0o666)
    try:
        answer = ask_as(STRANGER, [], held, "/v1/alerts")
        decided = ask_as(STRANGER, [], held, "/v1/decisions", {"verb": "ack", "target": "i"})
    finally:
        held.path.chmod(0o660)
        held.run.chmod(0o710)
    assert (answer.status, decided.status) == (403, 403)
    assert answer.error == f"uid {STRANGER} ({STRANGER}) is not in the group that may ask this Hullwatch (api.group)."


def test_a_decision_has_the_name_that_the_kernel_knows_and_not_the_one_that_is_said(held: Held) -> None:
    target = held.ask("/v1/issues?limit=1").document[0]["id"]
    wish = {"verb": "assign", "target": target, "assignee": "root", "why": "by root (0)"}
    forged = ask_as(MEMBER, [SERVICE], held, "/v1/decisions", {**wish, "who": "root (0)"})
    assert (forged.status, "unknown field `who`" in forged.error) == (400, True)
    made = ask_as(MEMBER, [SERVICE], held, "/v1/decisions", wish)
    assert (made.status, made.document["who"]) == (200, f"uid {MEMBER} ({MEMBER})")
    known = held.ask("/v1/decisions?limit=1").document[0]
    assert (known["who"], known["why"], known["target"]) == (f"uid {MEMBER} ({MEMBER})", "by root (0)", target)
    assert held.ask(f"/v1/issues/{target}").document["assignee"] == "root"


def test_only_root_and_the_services_user_may_do_everything(held: Held) -> None:
    assert ask_as(MEMBER, [SERVICE], held, "/v1/outputs/siem/retry", {}).status == 403
    assert ask_as(MEMBER, [SERVICE], held, "/v1/store/vacuum", {}).status == 403
    for uid in (0, SERVICE):
        refused = ask_as(uid, [], held, "/v1/outputs/siem/retry", {})
        assert (refused.status, refused.error) == (400, 'There is no output "siem".')


def test_the_process_that_answers_has_no_power(held: Held) -> None:
    assert held.ask("/v1/version").status == 200
    said = Path(f"/proc/{held.pid()}/status").read_text()
    assert f"Uid:\t{SERVICE}\t{SERVICE}\t{SERVICE}\t{SERVICE}" in said
    assert "CapPrm:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert len(list(Path(f"/proc/{held.pid()}/fd").iterdir())) < 20


# ---- questions


def test_alerts_come_as_lines_the_newest_first_and_nothing_in_them_can_move_a_cursor(held: Held) -> None:
    answer = held.ask("/v1/alerts?limit=0")
    lines = answer.body.splitlines()
    assert len(lines) == MANY + 1
    assert json.loads(lines[0])["rule"] == HOSTILE
    assert [json.loads(line)["output_fields"]["proc.pid"] for line in lines[1:]] == list(range(MANY - 1, -1, -1))
    assert answer.body.replace(b"\n", b"").decode().isprintable()


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("condition=" + quote("proc.pid < 5"), 6),
        ("condition=" + quote("fd.name regex '.*passwd3'"), MANY // 10),
        ("since=1h", 1),
        ("until=1h", MANY),
        ("rule=Last*&rule=nothing", 1),
        ("priority=critical", 0),
    ],
)
def test_alerts_are_chosen_and_counted(held: Held, query: str, number: int) -> None:
    assert len(held.ask(f"/v1/alerts?limit=0&{query}").body.splitlines()) == number
    assert held.ask(f"/v1/alerts/count?{query}").document == {"count": number}


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/v1/alerts?limti=5", None, 400, 'There is no parameter "limti" (did you mean "limit"?)'),
        ("/v1/alerts?limit=x", None, 400, "The request is wrong: limit: Expected `int`, got `str`."),
        ("/v1/alerts?limit=-1", None, 400, "limit is 0 or more, not -1."),
        ("/v1/alerts?condition=proc.nam%20=%20x", None, 400, "The condition is wrong at character 1"),
        ("/v1/alerts?since=yesterday", None, 400, '"yesterday" is no time'),
        ("/v1/alerts?priority=high", None, 400, "high"),
        ("/v1/issues?all=perhaps", None, 400, "The request is wrong: every: Expected `bool`"),
        ("/v1/issues/zzz", None, 400, 'There is no issue "zzz"'),
        ("/v1/issues/%1b%5b2J", None, 400, "There is no issue"),
        ("/v1/nothing", None, 404, "There is nothing at /v1/nothing: /schema lists what there is."),
        ("/v1/store", b"{}", 405, "POST is not for /v1/store: /schema says what is."),
        ("/v1/decisions", b"{", 400, "The request is wrong"),
        ("/v1/decisions", b'{"verb": "burn"}', 400, "The request is wrong: "),
        ("/v1/decisions", b'{"verb": "ack", "target": "zzz"}', 400, 'There is no issue "zzz"'),
        ("/v1/decisions", b'{"verb": "close", "target": "i"}', 400, "Say why: it is kept with the decision."),
        ("/v1/decisions", b'{"verb": "mute", "why": "x", "for": "1d"}', 400, "Say what to mute"),
        ("/v1/decisions", b'{"verb": "ack", "target": "i", "for": "1d"}', 400, "Only a mute has"),
        (
            "/v1/decisions",
            b'{"verb":"ack","target":"i","why":"' + b"x" * 1001 + b'"}',
            400,
            "more than 1000 characters",
        ),
        ("/v1/responses/undo", b'{"container": "../x"}', 400, '"../x" is no id of a container'),
        ("/v1/responses/undo", b'{"container": "0123456789abcdef"}', 503, "No container 0123456789ab"),
    ],
)
def test_what_is_wrong_is_a_sentence(held: Held, path: str, body: bytes | None, status: int, sentence: str) -> None:
    answer = held.ask(path, body)
    assert (answer.status, sentence in answer.error) == (status, True), answer
    assert answer.body.rstrip(b"\n").decode().isprintable()


def test_everything_else_that_can_be_asked_is_answered(held: Held) -> None:
    assert held.ask("/v1/store").document["alerts"] == MANY + 1
    parts = [str(held.state / name) for name in ("store.db", "events")]
    assert held.ask("/v1/store/check").document == [{"name": part, "problems": []} for part in parts]
    assert {"store", "output", "instance"} <= {one["name"] for one in held.ask("/v1/checks").document}
    assert "policies:" in held.ask("/v1/escalation").document["text"]
    assert held.ask("/v1/responses").document["enabled"] is False
    assert [one["name"] for one in held.ask("/v1/outputs").document["outputs"]] == ["hook"]
    assert "api" in held.ask("/v1/status").document["processes"]
    assert held.ask("/v1/metrics").body.startswith(b"# HELP hullwatch_build_info")
    assert json.loads(held.ask("/v1/metrics?output=json").body.splitlines()[0])["name"] == "hullwatch_build_info"
    incident = held.ask("/v1/incidents?limit=1").document[0]
    assert held.ask(f"/v1/incidents/{incident['id']}").document["summary"]
    assert held.ask(f"/v1/incidents/{incident['id']}/why").document["id"] == incident["id"]
    assert held.ask("/v1/ids?among=incidents").document == [incident["id"]]
    assert held.ask("/v1/decisions/trial?condition=" + quote("proc.pid < 5")).document["would_mute"] == 6


def test_the_schema_tells_of_every_path_and_of_what_decisions_are_made(held: Held) -> None:
    schema = held.ask("/schema").document
    assert schema["openapi"].startswith("3.")
    wish: dict[str, Any] = schema["components"]["schemas"]["Wish"]["properties"]
    assert {"verb", "target", "why", "assignee", "for", "condition"} <= set(wish)
    assert "who" not in wish
    assert all(one.startswith("/v1/") for one in schema["paths"])


def test_who_means_the_store_of_another_instance_is_told_so(held: Held) -> None:
    assert held.ask("/v1/version", None, f"Hullwatch-State: {held.state}").status == 200
    answer = held.ask("/v1/version", None, "Hullwatch-State: /somewhere/else")
    assert (answer.status, "/somewhere/else" in answer.error) == (421, True)


# ---- limits


def test_bodies_and_heads_that_are_too_large_are_refused(held: Held) -> None:
    answer = held.ask("/v1/decisions", b'{"verb": "ack", "why": "' + b"x" * 70_000 + b'"}')
    assert answer.status == 413
    with held.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(b"GET /v1/version HTTP/1.1\r\nX-Long: " + b"x" * 600_000)
        assert answer_of(read_all(connection)).status in {400, 431}
    with held.connect() as connection:  # one that says nothing of its length, and never ends
        connection.sendall(b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(100):
                connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            data = read_all(connection)
        except (BrokenPipeError, ConnectionResetError):
            data = b""
        assert not data or answer_of(data).status in {400, 413}
    assert held.ask("/v1/version").status == 200


def test_a_client_that_sends_byte_by_byte_or_reads_nothing_is_left_and_holds_up_nobody(
    state: Path, folder: Path
) -> None:
    held = hold(state, folder / "slow", patience=0.5)
    try:
        slow, silent, deaf = held.connect(), held.connect(), held.connect()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /v1/version HTT")
        deaf.sendall(b"GET /v1/alerts?limit=0&form=whole HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.ask("/v1/version").status == 200
        assert answer_of(read_all(slow)).status == 408
        assert answer_of(read_all(silent)).status == 408
        ended = select.poll()
        ended.register(deaf, select.POLLHUP)
        assert ended.poll(PATIENCE * 1000)
        half = held.connect()
        half.sendall(b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        assert b" 200 " not in read_all(half)
        for connection in (slow, silent, deaf, half):
            connection.close()
    finally:
        let_go(held)


def test_a_thousand_connections_of_one_user_keep_nobody_else_from_asking(held: Held) -> None:
    assert held.ask("/v1/version").status == 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def flood() -> list[int]:
        signal.alarm(30)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        taken = [held.connect() for _ in range(1000)]
        others = subprocess.run(["true"], check=True).returncode
        waiting = select.poll()
        for one in taken:
            waiting.register(one, select.POLLIN)
        while len(refused := waiting.poll(5000)) < len(taken) - 32:
            pass
        os.write(tell, b"full")
        os.read(go_on, 1)
        return [len(taken), len(refused), others]

    told, tell = os.pipe()
    go_on, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(tell, json.dumps(as_user(MEMBER, [SERVICE], flood)).encode())
        finally:
            os._exit(0)
    assert os.read(told, 4) == b"full"
    assert held.ask("/v1/alerts?limit=1").status == 200  # root's
    assert ask_as(SERVICE, [], held, "/v1/version").status == 200
    # While very many are being refused there is not even an answer; that is over in a moment.
    held.wait_until(lambda: as_user(MEMBER, [SERVICE], lambda: held.ask("/v1/version").status) == 503)
    refused = ask_as(MEMBER, [SERVICE], held, "/v1/version")
    assert (refused.status, refused.error) == (503, "There are too many connections: ask again later.")
    os.write(go, b"x")
    taken, number, _ = json.loads(os.read(told, 1000))
    os.waitpid(pid, 0)
    assert (taken, number) == (1000, 968)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == soft
    held.wait_until(lambda: ask_as(MEMBER, [SERVICE], held, "/v1/version").status == 200)
    for end in (told, tell, go_on, go):
        os.close(end)


# ---- the process


def test_a_process_that_is_killed_or_renewed_is_started_again_by_the_next_question(held: Held) -> None:
    for killed in (True, False):
        assert held.ask("/v1/version").status == 200
        before = held.pid()
        if killed:
            os.kill(before, signal.SIGKILL)
        else:
            held.process.send_signal(signal.SIGHUP)
        held.wait_until(lambda before=before: not _lives(before))
        assert held.ask("/v1/version").status == 200
        assert held.pid() != before


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_process_ends_when_nobody_asks_and_one_that_cannot_begin_is_given_up(state: Path, folder: Path) -> None:
    idle = hold(state, folder / "idle", idle=0.2)
    try:
        assert idle.ask("/v1/version").status == 200
        first = idle.pid()
        idle.wait_until(lambda: not _lives(first))
        assert idle.ask("/v1/version").status == 200
    finally:
        assert let_go(idle) == ""
    broken = hold(state, folder / "broken", broken="yes")
    with pytest.raises(ConnectionResetError):
        broken.ask("/v1/version")
    with pytest.raises(ConnectionRefusedError):
        broken.connect()
    assert "Warning: verbs look into the store themselves from now on" in let_go(broken)
    assert "RuntimeError" in (state / "api-crash.txt").read_text()
