"""Settings in writing: values as TOML has them, types in words, examples, and a whole file with comments."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin

import msgspec

from hullwatch.config.settings import leaves, sections
from hullwatch.config.values import format_duration

if TYPE_CHECKING:
    from hullwatch.config.settings import Leaf

UNSET = "(unset)"
HIDDEN = "<hidden>"
_USER = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")  # name and password of a URL
_IN_QUERY = re.compile(r"(?i)(?<=[?&])((?:[\w.-]*(?:token|key|secret|password|passwd|sig|signature))=)[^&#\s\"]+")
_EXAMPLES: dict[str, object] = {
    "rules.files": ("/etc/hullwatch/rules",),
    "rules.priority": "Warning",
    "run.fail_on": "Critical",
    "output.labels": {"team": "payments"},
    "output.cluster": "berlin-1",
    "output.node": "worker-7",
    "mask.patterns": ("corp-[0-9a-f]{32}",),
    "docker.host": "unix:///run/docker.sock",
    "containers.engines": ("containerd:///run/containerd/containerd.sock",),
    "engine.user": "hullwatch",
    "engine.sensor": "/usr/local/bin/hullwatch-sensor",
    "run.duration": 600.0,
    "record.file": "/srv/today.hwcap",
    "record.filter": "evt.type = execve",
    "directories.state": "/srv/hullwatch",
    "directories.cache": "/var/cache/hullwatch",
    "directories.run": "/run/hullwatch",
    "flight_recorder.directory": "/srv/captures",
}


def written(value: object, *, duration: bool = False) -> str:
    """Return a value as TOML writes it; ``(unset)`` where TOML has no word for it."""
    if value is None:
        return UNSET
    if duration and isinstance(value, float):
        return f'"{format_duration(value)}"'
    if isinstance(value, tuple):
        items: list[object] = msgspec.to_builtins(value)
        return f"[{', '.join(_inside(item) for item in items)}]"
    if isinstance(value, dict):
        return _inside(cast("dict[str, object]", value))
    return json.dumps(value, ensure_ascii=False)


def _inside(value: object) -> str:
    if isinstance(value, dict):
        names = cast("dict[str, object]", value)
        pairs = ", ".join(f"{json.dumps(key)} = {_inside(item)}" for key, item in names.items())
        return f"{{{pairs}}}"
    return written(value)


def without_secrets(value: Any) -> Any:
    """Return a value in which passwords of URLs, and tokens in their queries, are hidden."""
    if isinstance(value, str):
        return _IN_QUERY.sub(rf"\g<1>{HIDDEN}", _USER.sub(HIDDEN, value))
    if isinstance(value, (tuple, list)):
        return tuple(without_secrets(item) for item in cast("tuple[object, ...]", value))
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def shown(value: object, leaf: Leaf) -> str:
    """Return a value as people are shown it."""
    return written(without_secrets(value), duration=leaf.duration)


def type_words(leaf: Leaf) -> str:
    """Return what a value may be, for people."""
    if leaf.choices:
        return "one of " + ", ".join(json.dumps(choice) for choice in leaf.choices)
    if leaf.duration:
        return 'a duration, such as "500ms", "10s", "5m" or "1h30m"'
    base = _base(leaf.type)
    words = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}.get(base)
    if words is None:
        words = "a table of texts" if base is dict else "a list"
    return words + _limits(leaf.type)


def _base(kind: Any) -> Any:
    while hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    origin = get_origin(kind)
    if origin in {tuple, dict}:
        return origin
    return next((_base(part) for part in get_args(kind) if part is not type(None)), kind)


def _limits(kind: Any) -> str:
    metas = [item for item in getattr(kind, "__metadata__", ()) if isinstance(item, msgspec.Meta)]
    least = next((item.ge for item in metas if item.ge is not None), None)
    most = next((item.le for item in metas if item.le is not None), None)
    if most is not None:
        return f", from {least or 0} to {most}"
    return f", at least {least}" if least is not None else ""


def example(leaf: Leaf) -> Any:
    """Return a value that could be set, another one than the default where that is easy."""
    if leaf.path in _EXAMPLES:
        return _EXAMPLES[leaf.path]
    if leaf.examples:
        return leaf.examples[0]
    if isinstance(leaf.default, bool):
        return not leaf.default
    others = [choice for choice in leaf.choices if choice != leaf.default]
    return others[0] if others else leaf.default


def variable_text(value: object, leaf: Leaf) -> str:
    """Return a value as a variable of the environment has it."""
    if leaf.duration and isinstance(value, float):
        return format_duration(value)
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in cast("dict[str, object]", value).items())
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        return ",".join(map(str, items)) if all(isinstance(item, str) for item in items) else written(items)
    return str(value).lower() if isinstance(value, bool) else str(value)


def commented_file(schema: str = "") -> str:
    """Return a configuration file in which every setting stands as a comment with its default.

    Args:
        schema: path of the JSON schema, for editors; empty for none.
    """
    lines = [f"#:schema {schema}"] if schema else []
    lines += [
        "# Settings of Hullwatch. Every line that is a comment says the default: take the # away to change it.",
        '# "hullwatch config check" looks for mistakes, "hullwatch config explain KEY" says more about a setting.',
        "# Those that are marked (reload) are taken by SIGHUP (systemctl reload hullwatch), all others by a restart.",
    ]
    section = ""
    docs = {path: kind.__doc__ or "" for path, kind in sections().items()}
    for path, leaf in leaves().items():
        group, _, name = path.rpartition(".")
        if group != section:
            section = group
            lines += ["", f"# ---- {docs[group].strip()}", f"[{group}]"]
        mark = " (reload)" if leaf.live else ""
        lines += ["", *textwrap.wrap(leaf.help + mark, 110, initial_indent="# ", subsequent_indent="# ")]
        default = leaf.default if leaf.default is not None else example(leaf)
        lines.append(f"#{name} = {written(default, duration=leaf.duration)}")
    return "\n".join(lines) + "\n"
