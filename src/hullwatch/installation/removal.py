"""Taking an installation away: what it made and nobody changed, in the reverse order."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.installation.manifest import NAME, digest

if TYPE_CHECKING:
    from hullwatch.installation.manifest import Entry, Manifest

CHANGED = "somebody changed it"


class Removal(NamedTuple):
    """What became of a thing: its path, and why it is still there; an empty reason: it is gone."""

    path: str
    reason: str = ""


def plan(manifest: Manifest, prefix: Path, root: Path = Path("/"), *, keep_state: bool = False) -> list[Removal]:
    """Return what would become of each thing that is there.

    Args:
        manifest: of the installation.
        prefix: where it lies, with the manifest in it.
        root: what all paths are relative to.
        keep_state: leave what runs have left behind.
    """
    entries = [entry for entry in reversed(manifest.entries) if entry.kind != "directory"]
    found = [Removal(entry.path, _reason(entry, root)) for entry in entries if _exists(entry.path, root)]
    state = (folder for folder in manifest.state if _exists(folder, root))
    found += [Removal(folder, "--keep-state" if keep_state else "") for folder in state]
    found.append(Removal(str(prefix / NAME)))
    directories = [entry.path for entry in reversed(manifest.entries) if entry.kind == "directory"]
    going = {one.path for one in found if not one.reason}
    for path in sorted(directories, key=lambda text: -text.count("/")):
        if not _exists(path, root):
            continue
        inside = [f"{path}/{item.name}" for item in sorted(_at(path, root).iterdir())]
        left = [item for item in inside if item not in going]
        reason = f"{Path(left[0]).name} is in it" if left else ""
        found.append(Removal(path, reason))
        going |= set() if reason else {path}
    return found


def remove(manifest: Manifest, prefix: Path, root: Path = Path("/"), *, keep_state: bool = False) -> list[Removal]:
    """Remove an installation; return what became of each thing. Arguments are those of ``plan``."""
    trees = {entry.path for entry in manifest.entries if entry.kind == "tree"} | set(manifest.state)
    done: list[Removal] = []
    for one in plan(manifest, prefix, root, keep_state=keep_state):
        if one.reason:
            done.append(one)
            continue
        try:
            _remove(_at(one.path, root), tree=one.path in trees)
        except OSError as error:
            done.append(Removal(one.path, error.strerror or str(error)))
        else:
            done.append(one)
    return done


def _remove(path: Path, *, tree: bool) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif tree:
        shutil.rmtree(path)
    else:
        path.rmdir()


def _reason(entry: Entry, root: Path) -> str:
    """Return why an entry stays."""
    path = _at(entry.path, root)
    if entry.kind == "tree":
        return "" if path.is_dir() and not path.is_symlink() else CHANGED
    return "" if digest(path) == entry.sha256 else CHANGED


def _at(path: str, root: Path) -> Path:
    return root / path.lstrip("/")


def _exists(path: str, root: Path) -> bool:
    there = _at(path, root)
    return there.exists() or there.is_symlink()
