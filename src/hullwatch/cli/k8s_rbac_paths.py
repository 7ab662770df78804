"""``hullwatch k8s rbac paths``: how somebody gets from few rights to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import FromFlag
from hullwatch.cli.store_options import StateFlag

if TYPE_CHECKING:
    from hullwatch.posture.paths import Paths


def paths(
    svg: Annotated[str | None, typer.Option("--svg", metavar="FILE", help="Draw them into a new file instead.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,  # noqa: FBT002 - a flag
    source: FromFlag = None,
    state: StateFlag = None,
    output: OutputOption = "text",
) -> int:
    """Show how users, service accounts and workloads get to everything, or to every secret, step by step.

    \b
    Examples:
      hullwatch k8s rbac paths --from cluster.json
      hullwatch k8s rbac paths --from audit.jsonl --svg paths.svg

    Each place stands below the one that it gets to first, on its shortest way; * marks where somebody begins. With
    pods and nodes among the objects, ways over them are found too: from a privileged pod to its node, from there to
    the service accounts of the node's other pods.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.k8s_input import read_all
    from hullwatch.formats.rights import path_document
    from hullwatch.formats.way_tree import tree_lines, way_tree
    from hullwatch.posture.paths import ADMIN, EVERY_SECRET, Paths, steps_of
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.risks import find_risks

    as_json = wants_json(output)
    inventory, usage = read_all(source, state=state)
    rights = Rights(inventory)
    groups = {name: tuple(use.groups) for name, use in usage.users.items()}
    found = Paths(rights, find_risks(rights), inventory, groups)
    if svg is not None:
        _draw(found, svg, force=force)
        return 0
    reached: set[object] = set()
    for goal in (ADMIN, EVERY_SECRET):
        ways = found.ways(goal)
        starts = [start for start in found.starts(ways) if start not in reached]  # who has everything has the secrets
        reached.update(starts)
        if as_json:
            for start in starts:
                write_json(path_document(goal, start, steps_of(ways, start)))
        elif starts:
            for line in tree_lines(way_tree(goal, ways, starts)):
                write_line(line)
    if not reached and not as_json:
        write_line("Nobody gets to everything or to every secret but what comes with Kubernetes.")
    return 0


def _draw(found: Paths, name: str, *, force: bool) -> None:
    from hullwatch.captures.new_file import new_file
    from hullwatch.formats.way_tree import way_tree
    from hullwatch.formats.way_tree_svg import ways_svg
    from hullwatch.posture.paths import ADMIN, EVERY_SECRET

    everything = found.ways(ADMIN)
    starts = found.starts(everything)
    secrets = found.ways(EVERY_SECRET)
    others = [start for start in found.starts(secrets) if start not in set(starts)]
    trees = [way_tree(ADMIN, everything, starts)]
    if others:
        trees.append(way_tree(EVERY_SECRET, secrets, others))
    number = len(starts) + len(others)
    below = f"{number} users, groups, service accounts and workloads get there; orange marks where they begin."
    drawing = ways_svg(trees, "Ways to all rights", below)
    with new_file(name, force=force) as stream:
        stream.write(drawing.encode("utf-8", "replace"))
