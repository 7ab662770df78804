"""The process that takes the audit events of Kubernetes, judges them, and has their alerts kept.

It is started by the supervisor, runs as an ordinary user, and speaks to the keeper by a link of its own. What it takes
it acknowledges when the alerts are kept: a batch by its answer, a log file by its place. (docs/adr/0031)
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import gc
import importlib
import os
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hullwatch.alerts.maker import AlertMaker
from hullwatch.alerts.mask import Masker
from hullwatch.audit_credentials import AuditCredentials
from hullwatch.audit_watch import AuditWatch
from hullwatch.channel import Supervisor
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.detect.log_judge import LogJudge
from hullwatch.errors import HullwatchError
from hullwatch.formats.falco import falco
from hullwatch.formats.text import text
from hullwatch.outputs.standard_error import say
from hullwatch.own_process import CRASHED, drop_privileges, limit_fragments
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.problem import RulesError
from hullwatch.rules.reload import cache_of, load_rules
from hullwatch.rules.sources import TAKEN
from hullwatch.service.log import speak
from hullwatch.sources.container_logs.line import LogLine
from hullwatch.sources.k8s_audit.cloudwatch import make_client
from hullwatch.store import sightings
from hullwatch.store.packing import pack

if TYPE_CHECKING:
    import socket

    from hullwatch.config.settings import Settings
    from hullwatch.sources.k8s_audit.webhook_files import WebhookFiles

NAME = "hullwatch-k8s"
_ENCODINGS = ("utf-8", "utf-8-sig", "latin-1", "ascii", "idna", "utf-16", "unicode_escape")
_LATE_IMPORTS = ("stringprep", "asyncio.sslproto", "concurrent.futures.thread", "multiprocessing")
_WRONG_RULE = b"- rule: wrong\n  desc: wrong\n  condition: ka.ver = x\n  output: wrong\n  priority: info\n"
_RULE = b"""- rule: preload
  desc: of everything that loads something when it is first used
  source: k8s_audit
  condition: >
    ka.verb = get and not (ka.uri glob "/x/*" or ka.uri regex "x.*" or ka.user.name pmatch (/x)
    or jevt.value[/a/b] = x or ka.target.resource intersects (x))
  output: "%evt.time %ka.user.name"
  priority: INFO
"""
_RULE_OF_LOGS = b"""- rule: preload
  desc: the same of logs
  source: container_log
  condition: log.text icontains preload and log.value[/a] exists and not log.address = x
  output: "%evt.time %log.text %container.image"
  priority: INFO
"""


def be_intake(  # noqa: PLR0913 - what a supervisor hands over
    settings: Settings,
    files: list[tuple[str, bytes]],
    secrets: WebhookFiles,
    channel: socket.socket,
    *,
    lifeline: int,
    state: Path,
    user: tuple[int, int],
    crashes: int,
    listener: socket.socket | None,
) -> NoReturn:
    """Be the process, in the one that was forked for it: give up power, then begin; never return.

    Args:
        settings: of the run.
        files: the rules, names and texts.
        secrets: certificates and tokens of the webhook.
        channel: this process's end.
        lifeline: a descriptor that becomes readable when the supervisor is gone.
        state: the directory of what lasts.
        user: uid and gid to become.
        crashes: how often it has crashed before.
        listener: that senders connect to; None for none.
    """
    try:
        with contextlib.suppress(OSError):  # only what `ps` shows
            Path("/proc/self/comm").write_text(NAME, encoding="ascii")
        speak("kubernetes", settings.log.format)
        limit_fragments()
        _preload(settings)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it is listened to
        audit = settings.kubernetes.audit
        groups = audit.eks_log_groups or settings.container_logs.log_groups
        client = make_client(audit.eks_region, audit.eks_url) if groups else None
        supervisor = Supervisor(channel)
        credentials = AuditCredentials(audit, supervisor, secrets, client)
        drop_privileges(*user)
        read = [RulesFile(*file) for file in files]
        wanted = TAKEN & frozenset(settings.run.sources) or TAKEN
        rules = load_rules(read, settings.rules, cache_of(state), sources=wanted)
        for remark in () if crashes else rules.selection.remarks:
            say(f"Warning: {remark}")
        gc.freeze()
        watch = AuditWatch(settings, rules, supervisor, state, credentials, listener, crashes)
        code = asyncio.run(watch.run(lifeline))
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        code = _report_end(error, state)
    os._exit(code)


def _preload(settings: Settings) -> None:
    """Import what is needed later, while the files can still be read; using things once finds what they import."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    for module in _LATE_IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    if settings.store.url:
        with contextlib.suppress(ImportError):
            importlib.import_module("psycopg")
            importlib.import_module("hullwatch.store.postgresql")
    sightings.preload(settings)
    with contextlib.suppress(RulesError):
        load([RulesFile("preload", _WRONG_RULE)], sources=TAKEN)
    rules, counters = load([RulesFile("preload", _RULE)], sources=TAKEN), Counters()
    of_logs = load([RulesFile("preload", _RULE_OF_LOGS)], sources=TAKEN)
    maker = AlertMaker(Masker(settings.mask.patterns), "", {}, with_origin=True)
    for match in AuditJudge(rules, counters).matches({"kind": "Event", "verb": "get", "auditID": "preload"}):
        maker.take(match)
    for match in LogJudge(of_logs, counters).matches(LogLine("", "stdout", '{"a": "preload 192.0.2.1"}')):
        maker.take(match)
    for alert in maker.made():
        for format_ in (text, falco):
            format_(alert)
        pack(alert)


def _report_end(error: BaseException, state: Path) -> int:
    if isinstance(error, HullwatchError):
        for line in str(error).splitlines():
            say(line)
        return error.exit_code
    with contextlib.suppress(OSError):
        text = "".join(traceback.format_exception(error))
        (state / "kubernetes-crash.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    say(f"The process that takes audit events ended by a mistake of its own ({type(error).__name__}); see {state}.")
    return CRASHED
