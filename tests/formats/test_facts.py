from msgspec.structs import replace

from hullwatch.formats.facts import actor, alert_id, facts, file_name, told
from hullwatch.formats.sample import sample_alert


def test_what_every_alert_has_stands_beside_the_fields_of_its_rule() -> None:
    found = facts(
        replace(
            sample_alert(),
            origin=None,
            output_fields={"proc.pid": None, "user.name": "", "evt.time": 5, "evt.res": "<NA>"},
        )
    )
    assert found == {
        "proc.name": "cat",
        "container.id": "3f2a9c81d0b4",
        "container.name": "web",
        "container.image": "registry.example/shop/web:1.27",
    }


def test_the_host_is_no_container() -> None:
    fields: dict[str, object] = {"container.id": "host", "container.name": "host", "proc.pid": 1}
    assert facts(replace(sample_alert(), container_id="host", process="", origin=None, output_fields=fields)) == {
        "proc.pid": 1
    }


def test_what_the_engine_knew_is_added_where_the_rule_does_not_name_it() -> None:
    found = facts(replace(sample_alert(), output_fields={"user.name": "www"}))
    assert (found["proc.pid"], found["proc.cmdline"], found["proc.ppid"], found["proc.pname"]) == (
        4711,
        "cat /etc/shadow",
        4700,
        "sh",
    )
    assert found["user.name"] == "www"
    assert found["container.full_id"] == "3f2a9c81d0b4" + "0" * 52
    assert [one.pid for one in actor(sample_alert(), found)] == [4711, 4700]


def test_a_rule_about_another_process_gets_nothing_of_the_one_that_made_the_event() -> None:
    alert = replace(sample_alert(), output_fields={"proc.pid": 1})
    found = facts(alert)
    assert "proc.ppid" not in found
    assert actor(alert, found) == ()


def test_a_path_is_told_as_a_file_and_a_connection_as_its_ends() -> None:
    assert told({"fd.name": "/etc/shadow"}) == {"fs.path.name": "/etc/shadow"}
    assert told({"fd.name": "/a", "fs.path.name": "/b"}) == {"fd.name": "/a", "fs.path.name": "/b"}
    assert told({"fd.name": "2001:db8::1:40312->203.0.113.9:443"}) == {
        "fd.cip": "2001:db8::1",
        "fd.cport": "40312",
        "fd.sip": "203.0.113.9",
        "fd.sport": "443",
    }
    assert told({"fd.name": "pipe:[7]"}) == {"fd.name": "pipe:[7]"}


def test_an_alert_without_an_id_gets_the_same_digits_each_time() -> None:
    alert = replace(sample_alert(), id="")
    assert alert_id(alert) == alert_id(alert) != alert_id(replace(alert, message="other"))
    assert alert_id(replace(alert, message="\udcff"))
    assert alert_id(sample_alert()) == "r7k2-41"


def test_the_name_of_a_file_is_the_last_part_of_its_path() -> None:
    assert [file_name(path) for path in ("/a/b", "/a/b/", "/", "x")] == ["b", "b", "/", "x"]
