"""The tables of .scap files are written from the facts of the format, and fit together."""

from __future__ import annotations

from hullwatch.captures.scap.table import CONVERSIONS, KINDS, LONG_LENGTHS, NAMES, SIGNED, SIZES, TEXTS
from tools.scap_table import tables

FACTS = {
    "events": [
        {
            "number": 7, "name": "read", "category": "io-read", "flags": ["uses_fd"], "fd_param": 1,
            "params": [
                {"name": "res", "type": "ERRNO", "format": "dec"},
                {"name": "path", "type": "FSRELPATH", "dirfd_param": 0},
                {"name": "how", "type": "FLAGS32", "format": "hex", "flags": "how_flags"},
            ],
        },
        {"number": 8, "name": "NA", "category": "unknown", "flags": ["unused"], "params": []},
    ],
    "flags": {"how_flags": {"kind": "bits", "values": {"A": 1, "B": 2}}},
    "variants": {"one_of": ["UINT64", "CHARBUF"]},
    "conversions": [{"number": 7, "nparams": 1, "action": "add_params", "fill": ["enter:0", "default"]}],
}  # fmt: skip


def test_each_table_has_a_line_for_what_it_is_and_one_for_each_fact() -> None:
    made = {name: text.splitlines()[1:] for name, text in tables(FACTS).items()}
    assert made == {
        "events.tsv": ["7\tread\tio-read\tuses_fd\t1\tres:ERRNO:dec path:FSRELPATH:::0 how:FLAGS32:hex:how_flags"],
        "names.tsv": ["how_flags\tbits\tA=1 B=2", "one_of\tvariant\tUINT64=0 CHARBUF=1"],
        "conversions.tsv": ["7\t1\tadd_params\t\tenter:0 default"],
    }


def test_the_tables_fit_together() -> None:
    assert len(KINDS) == 419
    assert len(CONVERSIONS) == 253
    for kind in KINDS.values():
        assert kind.descriptor < len(kind.parameters)
        for one in kind.parameters:
            assert one.directory < len(kind.parameters)
            assert not one.names or one.names in NAMES
    for (number, count), conversion in CONVERSIONS.items():
        assert count <= len(KINDS[number].parameters)
        assert conversion.number == 0 or conversion.number in KINDS


def test_every_type_of_parameter_is_known() -> None:
    found = {one.type for kind in KINDS.values() for one in kind.parameters}
    others = {"BYTEBUF", "SOCKADDR", "SOCKTUPLE", "FDLIST", "DYN", "CHARBUFARRAY", "CHARBUF_PAIR_ARRAY"}
    assert found <= SIZES.keys() | TEXTS | others
    assert SIZES.keys() >= SIGNED
    assert {kind.name for kind in KINDS.values() if LONG_LENGTHS in kind.marks} == {
        "pluginevent",
        "container",
        "asyncevent",
    }
