"""The expected line is written by hand from the standard, and a reader made from the standard reads it back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hullwatch import __version__
from hullwatch.formats.cef import cef, extension_text, header_text, rule_id
from hullwatch.formats.escape import escape
from hullwatch.formats.sample import sample_alert, sample_placement

EXPECTED = (
    f"CEF:0|Hullwatch|Hullwatch|{__version__}|sensitive-file-read-in-a-container|Sensitive file read in a container|7|"
    "rt=1795304405001 dvchost=node1 externalId=r7k2-41 deviceFacility=syscall "
    "msg=A file of secrets is read (file\\=/etc/shadow command\\=cat /etc/shadow user\\=root) "
    "sproc=cat spid=4711 cs3=cat /etc/shadow cs3Label=proc.cmdline suser=root "
    "cs1=3f2a9c81d0b4 cs1Label=container.id cs2=web cs2Label=container.name filePath=/etc/shadow act=openat "
    "cs4=TA0006,T1003.008 cs4Label=MITRE ATT&CK cs5=i5c3e9a cs5Label=issue cnt=3 cn1=71 cn1Label=score "
    "cs6=n2f cs6Label=incident"
)
_MEANINGS = {"\\": "\\", "=": "=", "n": "\n", "r": "\r"}
_UNESCAPED_BAR = re.compile(r"(?<!\\)(?:\\\\)*\|")


def read(line: str) -> tuple[list[str], dict[str, str]]:
    """Read a line as the standard says: seven parts with bars between them, then keys and values."""
    parts: list[str] = []
    current: list[str] = []
    position = 0
    while len(parts) < 7:
        character = line[position]
        if character == "\\":
            current.append(line[position + 1])
            position += 1
        elif character == "|":
            parts.append("".join(current))
            current = []
        else:
            current.append(character)
        position += 1
    extension: dict[str, str] = {}
    # A key begins behind a blank and ends at an equals sign that no backslash stands before.
    starts = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", line[position:]))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        value = line[position:][start.end() : following.start() if following else None]
        extension[start[1]] = re.sub(r"\\(.)", lambda match: _MEANINGS[match[1]], value)
    return parts, extension


def shown(text: str) -> str:
    """Return what a reader gets of a text: line ends as they are, other control characters written out."""
    return "".join(piece if piece in {"\n", "\r"} else escape(piece) for piece in re.split(r"([\r\n])", text))


def test_the_alert_becomes_the_line_of_the_standard() -> None:
    assert cef(sample_alert(), sample_placement()).decode() == EXPECTED


def test_bars_are_escaped_in_the_header_alone_and_equals_signs_in_the_extension_alone() -> None:
    line = cef(replace(sample_alert(), rule="a|b=c\\d", message="a|b=c\\d")).decode()
    assert "|a\\|b=c\\\\d|" in line
    assert " msg=a|b\\=c\\\\d " in line


def test_line_ends_are_written_out() -> None:
    line = cef(replace(sample_alert(), rule="a\nb", message="one\ntwo\r\nthree")).decode()
    assert "|a\\\\nb|" in line  # the header knows none: two characters, of which the backslash is escaped
    assert " msg=one\\ntwo\\r\\nthree " in line


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_what_goes_in_is_what_a_reader_gets(rule: str, message: str, command: str) -> None:
    alert = replace(sample_alert(), rule=rule, message=message, output_fields={"proc.cmdline": command}, origin=None)
    line = cef(alert).decode()
    assert "\n" not in line
    parts, extension = read(line)
    valid = [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in (rule, message, command)]
    assert parts[5] == escape(valid[0])
    assert extension.get("msg", "") == shown(valid[1])
    assert extension.get("cs3", "") == shown(valid[2])
    assert extension["dvchost"] == "node1"


@pytest.mark.parametrize("text", ["\\", "|", "=", "\\|", "\\=", "x=1 y=2", "\\n", "\n", "\x1b]0;x\x07"])
def test_no_text_ends_its_part(text: str) -> None:
    assert len(_UNESCAPED_BAR.findall(header_text(text))) == 0
    assert read(f"CEF:0|a|b|c|d|e|1|k={extension_text(text)} z=end")[1] == {"k": shown(text), "z": "end"}


def test_values_are_cut_to_the_lengths_of_the_dictionary() -> None:
    line = cef(replace(sample_alert(), message="m" * 5000, output_fields={"proc.cmdline": "c" * 5000})).decode()
    _, extension = read(line)
    assert len(extension["msg"]) == 1023
    assert len(extension["cs3"]) == 4000
    assert extension["msg"].endswith("...(cut)")


def test_the_id_of_a_rule_is_small_letters_digits_and_dashes() -> None:
    assert rule_id("Shell in A Container (2)!") == "shell-in-a-container-2"
    assert rule_id("правило") == "rule"
    assert len(rule_id("x" * 10_000)) == 100
