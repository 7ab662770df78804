import socket

import pytest

from hullwatch.config.labels import alert_labels
from hullwatch.config.settings import OutputSettings


@pytest.mark.parametrize(
    ("settings", "environment", "labels"),
    [
        ({}, {}, {}),
        ({"cluster": "north"}, {}, {"cluster": "north", "node": "this-host"}),
        ({}, {"NODE_NAME": "worker-7"}, {"node": "worker-7"}),
        ({"cluster": "north"}, {"NODE_NAME": "worker-7"}, {"cluster": "north", "node": "worker-7"}),
        ({"node": "mine"}, {"NODE_NAME": "worker-7"}, {"node": "mine"}),
        ({"labels": {"node": "own", "team": "x"}}, {"NODE_NAME": "worker-7"}, {"node": "own", "team": "x"}),
        ({}, {"NODE_NAME": "a\x1b[31m"}, {}),
        ({"cluster": "north"}, {"NODE_NAME": "x" * 300}, {"cluster": "north", "node": "this-host"}),
    ],
)
def test_cluster_and_node_are_labels(
    settings: dict[str, object], environment: dict[str, str], labels: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "this-host")
    assert alert_labels(OutputSettings(**settings), environment) == labels  # pyright: ignore[reportArgumentType]
