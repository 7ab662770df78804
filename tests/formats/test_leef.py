"""The expected line is written by hand from the format's description."""

from msgspec.structs import replace

from hullwatch import __version__
from hullwatch.formats.leef import leef
from hullwatch.formats.sample import sample_alert, sample_placement

EXPECTED = "\t".join(
    [
        f"LEEF:2.0|Hullwatch|Hullwatch|{__version__}|sensitive-file-read-in-a-container|x09|cat=Credential Access",
        "sev=7",
        "devTime=2026-11-21T23:40:05.001002003Z",
        "devTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSS'Z'",
        "identHostName=node1",
        "rule=Sensitive file read in a container",
        "priority=Error",
        "alertId=r7k2-41",
        "msg=A file of secrets is read (file=/etc/shadow command=cat /etc/shadow user=root)",
        *("proc=cat", "pid=4711", "command=cat /etc/shadow", "exe=/usr/bin/cat", "parent=sh", "ppid=4700"),
        *("usrName=root", "containerId=3f2a9c81d0b4", "containerName=web", "image=registry.example/shop/web"),
        *("resource=/etc/shadow", "action=openat", "issue=i5c3e9a", "incident=n2f"),
    ]
)


def test_the_alert_becomes_the_line_of_the_description() -> None:
    assert leef(sample_alert(), sample_placement()).decode() == EXPECTED


def test_a_tab_in_a_value_begins_no_attribute() -> None:
    line = leef(replace(sample_alert(), message="a\tsev=1\nb", rule="x|y")).decode()
    assert "msg=a\\tsev=1\\nb" in line.split("\t")
    assert line.split("|")[4] == "x-y"
