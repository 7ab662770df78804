"""``hullwatch uninstall``: remove what ``make install`` made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption

if TYPE_CHECKING:
    from pathlib import Path


def uninstall(
    keep_state: Annotated[
        bool | None, typer.Option("--keep-state", help="Leave alerts, captures and the user that they belong to.")
    ] = None,
    dry_run: Annotated[bool | None, typer.Option("--dry-run", help="Only tell what would be removed.")] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="DIRECTORY", help="Where it was installed; none: where this is.")
    ] = None,
    root: Annotated[
        str, typer.Option("--root", metavar="DIRECTORY", help="The DESTDIR of the installation, for packagers.")
    ] = "/",
    output: OutputOption = "text",
) -> int:
    """Remove what "make install" made, and tell what was removed and what was left.

    \b
    Examples:
      sudo hullwatch uninstall --dry-run
      sudo hullwatch uninstall --keep-state

    What somebody has changed since is left and named, the configuration too. A service that runs is ended and disabled
    first. Exit code 1 when something was left that is not asked to be kept.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import os
    from pathlib import Path

    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.errors import CannotError
    from hullwatch.installation import manifest as installed
    from hullwatch.installation.removal import plan, remove

    as_json = wants_json(output)
    _import_what_is_needed_after()
    place, base = _prefix(prefix), Path(root)
    manifest = installed.read(base / str(place).lstrip("/") / installed.NAME)
    live = root == "/"
    if live and not dry_run:
        if os.geteuid() != 0:
            raise CannotError("Removing the installation needs root: run it with sudo.")
        _end_service()
    do = plan if dry_run else remove
    done = do(manifest, place, base, keep_state=bool(keep_state))
    for one in done:
        if as_json:
            write_json({"path": one.path, "removed": not one.reason and not dry_run, "left": one.reason})
        else:
            verb = "left" if one.reason else "would remove" if dry_run else "removed"
            write_line(f"{verb}  {one.path}" + (f"  ({one.reason})" if one.reason else ""))
    if live and not dry_run and manifest.user and not keep_state and not as_json:
        write_line(_remove_user(manifest.user))
    return 1 if any(one.reason not in {"", "--keep-state"} for one in done) else 0


def _import_what_is_needed_after() -> None:
    """Import what would be imported when the files of this very program are gone."""
    import importlib

    for module in (
        "json",
        "subprocess",
        "tempfile",
        "traceback",
        "hullwatch.formats.escape",
        "hullwatch.outputs.stdout",
    ):
        importlib.import_module(module)


def _prefix(given: str | None) -> Path:
    """Return where the installation lies: this program's own one has ``releases/NAME`` below it."""
    import sys
    from pathlib import Path

    from hullwatch.installation.manifest import DEFAULT_PREFIX

    if given is not None:
        return Path(given).absolute()
    own = Path(sys.prefix)
    return own.parent.parent if own.parent.name == "releases" else DEFAULT_PREFIX


def _end_service() -> None:
    """End and disable the service, where systemd runs.

    Raises:
        CannotError: when an instance goes on.
    """
    import os
    import subprocess
    from pathlib import Path

    from hullwatch.config.paths import run_directory
    from hullwatch.errors import CannotError
    from hullwatch.service.instance import take_lock

    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "disable", "--now", "hullwatch.service"], capture_output=True, check=False)
    folder = run_directory()
    if folder.is_dir():
        try:
            os.close(take_lock(folder))
        except CannotError as error:
            raise CannotError(f"{error} Nothing was removed.") from error
        (folder / "lock").unlink(missing_ok=True)


def _remove_user(user: str) -> str:
    import subprocess

    done = subprocess.run(["userdel", user], capture_output=True, text=True, check=False)
    return f"removed  the user {user}" if not done.returncode else f"left  the user {user}  ({done.stderr.strip()})"
