"""Which file an interpreter was started to run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Options(NamedTuple):
    """The options of an interpreter, by their letters.

    Attributes:
        value: they take the rest of the argument or, when there is none, the next one.
        attached: they take the rest of the argument, if there is one.
        program: behind them there is no script: the program stands in the arguments, is a module, or comes as input.
        words: long options that take the next argument.
    """

    value: str = ""
    attached: str = ""
    program: str = ""
    words: tuple[str, ...] = ()


_SHELL = _Options(value="oO", program="cs", words=("--init-file", "--rcfile"))
_NODE = _Options(value="rC", program="ep", words=("--require", "--import", "--loader", "--conditions"))
_PYTHON = _Options(value="WX", program="cm")
# By the interpreter's name without its version.
_FAMILIES = {
    **dict.fromkeys(("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash", "fish", "csh", "tcsh"), _SHELL),
    "python": _PYTHON,
    "pypy": _PYTHON,
    "perl": _Options(value="I", attached="MmFlCDixV0", program="eE"),
    "ruby": _Options(value="IrE", attached="KTWxF0", program="e"),
    "node": _NODE,
    "nodejs": _NODE,
    "php": _Options(value="dcz", program="rBRE"),
    "lua": _Options(value="l", program="e"),
    "luajit": _Options(value="lj", attached="O", program="e"),
    "tclsh": _Options(),
    "Rscript": _Options(program="e"),
    "pwsh": _Options(),
}
_LONG_PROGRAMS = frozenset({"--eval", "--print", "--command", "-Command", "-EncodedCommand"})
_APPLETS = frozenset({"busybox", "toybox"})
_STARTERS = frozenset({"env"})  # "#!/usr/bin/env python3": the script is told when python3 starts
_VERSION = re.compile(r"[-0-9.]+$")
ARGUMENTS_LOOKED_AT = 64


def script_of(exepath: str, exe: str, args: Sequence[str], filename: str) -> str:
    """Return the script as it was named, relative to the working directory or not; empty when there is none.

    Args:
        exepath: path of the program.
        exe: the first argument.
        args: the others. Of a script that was started as a program the kernel has put its name in there.
        filename: the name that was asked for: the script's, of such a one.
    """
    name = _name(exepath)
    if name in _STARTERS:
        return ""
    if filename and filename != exepath and filename in args[:2]:
        return filename
    if name in _APPLETS:
        name = _name(exe)
        if name in _APPLETS and args:
            name, args = _name(args[0]), args[1:]
    family = _FAMILIES.get(name) or _FAMILIES.get(_VERSION.sub("", name))
    return _first_file(args, family) if family is not None else ""


def takes_scripts(exepath: str, exe: str, filename: str) -> bool:
    """Tell whether ``script_of`` finds a script in some arguments of a program."""
    if filename and filename != exepath:
        return True
    names = {_name(exepath), _name(exe)}
    return any(name in _APPLETS or name in _FAMILIES or _VERSION.sub("", name) in _FAMILIES for name in names)


def _name(path: str) -> str:
    """Return the last part of a path; a login shell has a dash in front of its name."""
    return path.rpartition("/")[2].removeprefix("-")


def _first_file(args: Sequence[str], options: _Options) -> str:
    """Return the first argument that is no option, and no option's value."""
    skip = False
    for place, argument in enumerate(args[:ARGUMENTS_LOOKED_AT]):
        if skip:
            skip = False
        elif argument == "--":
            return args[place + 1] if place + 1 < len(args) else ""
        elif argument in {"-", ""} or argument in _LONG_PROGRAMS:
            return ""
        elif argument[0] not in "-+":
            return argument
        elif argument.startswith("--"):
            skip = argument in options.words
        else:
            asked = _letters(argument, options)
            if asked is None:
                return ""
            skip = asked
    return ""


def _letters(argument: str, options: _Options) -> bool | None:
    """Tell whether options take the next argument; None when they leave no script."""
    for place, letter in enumerate(argument[1:], 2):
        if letter in options.program:
            return None
        if letter in options.value:
            return place == len(argument)
        if letter in options.attached:
            return False
    return False
