"""``hullwatch metrics``: the numbers of the instance that runs, once."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption


def metrics(
    output: OutputOption = "text",
    config_file: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
    ] = None,
) -> int:
    """Print what the running instance counts, in Prometheus' text format.

    \b
    Examples:
      sudo hullwatch metrics
      sudo hullwatch metrics -o json     one object for each number
      sudo hullwatch metrics > /var/lib/prometheus/node-exporter/hullwatch.prom

    The same is served to Prometheus where metrics.listen is set.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_safe
    from hullwatch.cli.desk import find_instance

    as_json = wants_json(output)
    client = find_instance(config_file)
    if client is not None:
        write_safe(client.get("/v1/metrics", {"output": output}).decode())
        return 0
    _look(config_file, as_json=as_json)
    return 0


def _look(config_file: str | None, *, as_json: bool) -> None:
    """Look at what the instance writes: one that answers nobody."""
    from pathlib import Path

    from hullwatch.api.documents import of_metrics
    from hullwatch.cli.answer import write_json, write_safe
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.paths import state_directory
    from hullwatch.errors import CannotError
    from hullwatch.metrics.families import exposition
    from hullwatch.metrics.view import look

    state = state_directory(load_settings({}, config_file).settings.directories.state)
    view = look(state)
    written = view.status or view.audit or view.cluster
    if not written or not Path(f"/proc/{written.get('pid')}").exists():
        raise CannotError(f"No instance runs that writes to {state}: start one with 'hullwatch run'.")
    if not as_json:
        write_safe(exposition(view))
        return
    for one in of_metrics(view):
        write_json(one)
