from pathlib import Path

import pytest

from hullwatch.config import load
from hullwatch.errors import UsageError
from hullwatch.outputs.configured import check, configured, options_of
from hullwatch.outputs.syslog import SyslogOptions


def load_text(tmp_path: Path, text: str):  # noqa: ANN201 - what load returns
    path = tmp_path / "c.toml"
    path.write_text(text)
    loaded = load({}, str(path), {}, [], options_of)
    check(loaded.settings.outputs, loaded.origins)
    return loaded


def test_outputs_are_tables_by_name_and_type_also_several_of_one_type(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        '[outputs.siem]\ntype = "syslog"\nurl = "tcp://a"\npriority = "info"\ntimeout = "500ms"\n'
        'ca_file = "ca.pem"\n[outputs.other]\ntype = "syslog"\nurl_file = "/run/url"\n',
    )
    siem, other = (one.options for one in configured(loaded.settings))
    assert isinstance(siem, SyslogOptions)
    assert isinstance(other, SyslogOptions)
    assert (siem.priority, siem.timeout, siem.ca_file) == ("Informational", 0.5, str(tmp_path / "ca.pem"))
    assert other.format == "json"
    assert loaded.origins["outputs.siem.timeout"] == f"{tmp_path}/c.toml:5"


def test_a_later_file_changes_one_key_of_an_output(tmp_path: Path) -> None:
    first = tmp_path / "first.toml"
    first.write_text('[outputs.siem]\ntype = "syslog"\nurl = "tcp://a"\nfacility = "auth"\n')
    second = tmp_path / "second.toml"
    second.write_text('[outputs.siem]\nurl = "tcp://b"\n')
    outputs = load({}, str(second), {}, [first], options_of).settings.outputs
    assert outputs == {"siem": {"type": "syslog", "url": "tcp://b", "facility": "auth"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[outputs.siem]\nurl = "x"', r"c\.toml:2: \[outputs\.siem\] has no type"),
        ('[outputs.siem]\ntype = "sylog"', r"c\.toml:2: outputs\.siem\.type: 'sylog' is not one .* 'syslog'\?"),
        (
            '[outputs.siem]\ntype = "syslog"\nurl = "tcp://x"\nadress = "x"',
            r"c\.toml:4: \[outputs\.siem\] has no key \"adress\"",
        ),
        ('[outputs.siem]\ntype = "syslog"', r"\[outputs\.siem\] needs url: The server"),
        ('[outputs.siem]\ntype = "syslog"\nurl = 7', r"c\.toml:3: outputs\.siem\.url has a wrong value: expected text"),
        ('[outputs.siem]\ntype = "syslog"\nurl = "x"\nbatch = 0', r"c\.toml:4: outputs\.siem\.batch has a wrong value"),
        ('[outputs.siem]\ntype = "syslog"\nurl = "x"\ntimeout = 3', r"c\.toml:4: .*a duration is text with a unit"),
        ('[outputs.siem]\ntype = "syslog"\nurl = "x"\npriority = "loud"', r'c\.toml:4: .*"loud" is not a priority'),
        ('[outputs.siem]\ntype = "syslog"\nurl = "x"\nfacility = "x"', r"c\.toml:4: .*it is one of kern, user"),
        ('[outputs.siem]\ntype = "syslog"\nurl = "x"\nurl_file = "y"', r"c\.toml:3: .*both url and url_file"),
        ('[outputs.siem]\ntype = "syslog"\nurl = "x"\nformat = "ocsv"', r"c\.toml:4: outputs\.siem\.format: .*ocsf"),
        ('[outputs.siem]\ntype = "syslog"\nurl = "x"\ncondition = "proc.nam = x"', r"c\.toml:4: .*proc\.nam"),
        ('[outputs."../x"]\ntype = "syslog"', r'no output can be called "\.\./x"'),
        ("[outputs]\nsiem = 1", r'"outputs\.siem" is a section'),
        ("outputs = 1", r'"outputs" is a section'),
        ("\n".join(f'[outputs.o{number}]\ntype = "file"' for number in range(40)), "more than 32 outputs"),
    ],
)
def test_what_is_wrong_is_a_sentence_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        load_text(tmp_path, text)


def test_a_secret_is_in_no_sentence(tmp_path: Path) -> None:
    text = '[outputs.siem]\ntype = "http"\nurl = "https://x/T0SECRET"\nheaders = {A = "hunter2"}\nbatch = 0\n'
    with pytest.raises(UsageError) as raised:
        load_text(tmp_path, text)
    assert "T0SECRET" not in str(raised.value)
    assert "hunter2" not in str(raised.value)
