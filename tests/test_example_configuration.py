"""The example of a configuration is right, and has every type of output."""

from __future__ import annotations

from hullwatch.config import load
from hullwatch.outputs.configured import check, configured, options_of
from hullwatch.outputs.output import OUTPUTS, Context
from tests.receivers import uncounted
from tools.repository import ROOT

FILE = ROOT / "examples" / "config" / "outputs.toml"
NEED_LIBRARIES_OR_FILES = {"siem"}  # its files for TLS are not there


def test_the_example_of_outputs_is_right() -> None:
    loaded = load({}, str(FILE), {}, [], options_of)
    check(loaded.settings, loaded.origins)
    known = configured(loaded.settings)
    ours = {"file", "syslog", "http", "falcosidekick", "alertmanager", "program"}
    assert ours <= {one.type for one in known} <= set(OUTPUTS.names())
    for one in known:
        if one.name not in NEED_LIBRARIES_OR_FILES:
            secrets = {f"${{{name}}}": "x" for name in ("LAKE_TOKEN", "LAKE_KEY", "ON_ALERT_TOKEN")}
            made = one.make({**secrets, "/run/secrets/chat-url": "http://x/"}, Context(one.name, ROOT, uncounted))
            made.close()
