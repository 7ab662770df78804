"""The example of a configuration is right, and has every type of output."""

from __future__ import annotations

import pytest

from hullwatch.config import load
from hullwatch.outputs.configured import check, configured, options_of
from hullwatch.outputs.output import OUTPUTS, Context
from tests.receivers import uncounted
from tools.repository import ROOT

FILE = ROOT / "examples" / "config" / "outputs.toml"
VARIABLES = ("LAKE_TOKEN", "LAKE_KEY", "ON_ALERT_TOKEN", "OTLP_TOKEN", "MAIL_USER", "MAIL_PASSWORD")
SECRETS = {
    **{f"${{{name}}}": "x" for name in VARIABLES},
    "${SLACK_TOKENS}": "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "/run/secrets/chat-url": "http://x/",
    "/run/secrets/kafka-password": "x",
    "/run/secrets/nats-token": "x",
}
NEED_LIBRARIES_OR_FILES = {"siem"}  # its files for TLS are not there


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of a library
def test_the_example_of_outputs_is_right() -> None:
    loaded = load({}, str(FILE), {}, [], options_of)
    check(loaded.settings.outputs, loaded.origins)
    known = configured(loaded.settings)
    assert {one.type for one in known} == set(OUTPUTS.names())
    for one in known:
        if one.name not in NEED_LIBRARIES_OR_FILES:
            made = one.make(SECRETS, Context(one.name, ROOT, uncounted))
            made.close()
