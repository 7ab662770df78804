"""Words stand for checks: what two paths have in common there, no check tells apart; the same in C and in Python."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, example, given, note, reject, settings
from hypothesis import strategies as st

from hullwatch.detect.native import NativeClassifier
from hullwatch.detect.plan import Plan
from hullwatch.detect.signature import Signatures, Word, is_plain, marked, words_of
from hullwatch.events.codec import encode
from hullwatch.rules.problem import RulesError
from hullwatch.rules.syntax import Check, FieldUse, Text, TextList
from tests.detect.classifier_plan import make_plan
from tests.detect.generated_streams import PLACE, rules_file
from tests.rules.conftest import load_text, make_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.detect.classifier import Classifier

PLAN = make_plan()
examples = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

# ---- the same in C and in Python

_letters = st.sampled_from(("/", "a", "b", "/a", "//", "\x01", "\x02", "\x03", "\x04", "\x05", "\x00", "é", "\udcff"))
_hostile_paths = st.lists(st.sampled_from(("", "/")) | st.just("/"), min_size=1, max_size=1).flatmap(
    lambda first: st.lists(_letters, max_size=6).map(lambda rest: first[0] + "".join(rest))
)
_plain_paths = st.lists(st.text("ab", min_size=1, max_size=3), max_size=4).map(lambda parts: "/" + "/".join(parts))
_words = st.builds(
    Word,
    st.text("ab/", min_size=1, max_size=3)
    | st.builds("\x01{}".format, st.text("ab/", max_size=3))
    | st.builds("{}\x02".format, st.text("ab/", max_size=3))
    | st.builds("\x01{}\x02".format, st.text("ab/", max_size=3))
    | st.builds("\x03{}\x04".format, st.text("ab/", max_size=3)),
    st.sampled_from((True, True, True, True, False)),
)


def opened(path: str) -> bytes:
    """Return the record of a path that was opened."""
    return encode("openat", fd=3, name=path)


def groups_in_c(signatures: Signatures, paths: list[str]) -> list[int]:
    """Return for each path which one it is taken for: the first path that it cannot be told from."""
    kind = next(kind for kind in PLAN.kinds["openat"] if kind is not None and kind.strings)
    kept = kind.strings
    kind.strings = (kept[0]._replace(signatures=signatures),)
    try:
        asked: Classifier = NativeClassifier(PLAN)
    finally:
        kind.strings = kept
    number = PLAN.all.index(kind)
    groups: list[int] = []
    for place, path in enumerate(paths, start=1):
        found = asked.classify(opened(path), 0)[2][0].first
        if not found:
            asked.learn_string(number, 0, opened(path), 0, place)
        groups.append(found or place)
    return groups


def groups_in_python(signatures: Signatures, paths: list[str]) -> list[int]:
    """Do the same by ``Signatures.find``."""
    first: dict[object, int] = {}
    groups: list[int] = []
    for place, path in enumerate(paths, start=1):
        signature = signatures.find(path)
        found = first.get(path) or (None if signature is None else first.get(signature))
        if not found:
            first[path] = place
            if signature is not None:
                first[signature] = place
        groups.append(found or place)
    return groups


@examples
@given(st.lists(_words, min_size=1, max_size=8), st.lists(_plain_paths | _plain_paths | _hostile_paths, max_size=30))
def test_the_library_takes_two_paths_for_one_exactly_when_python_does(words: list[Word], paths: list[str]) -> None:
    signatures = Signatures(words)
    assert groups_in_c(signatures, paths) == groups_in_python(signatures, paths)


def test_the_root_and_files_in_it_have_a_directory() -> None:
    signatures = Signatures([Word("\x03/\x04"), Word("\x03/a\x04"), Word("\x01/\x02")])
    paths = ["/", "/a", "/b", "/a/b", "/a/c", "/c/d", "/e/f", "/a/b/c"]
    assert groups_in_c(signatures, paths) == [1, 2, 2, 4, 4, 6, 6, 6]
    assert groups_in_python(signatures, paths) == groups_in_c(signatures, paths)


@pytest.mark.parametrize("path", ["", "a", "//", "/a/", "/a//b", "/\x01", "/\x02a", "/\x03", "/a/\x04"])
def test_a_path_that_is_not_plain_has_no_signature(path: str) -> None:
    signatures = Signatures([Word("zz")])
    assert signatures.find(path) is None
    assert groups_in_c(signatures, [path, f"{path}b" if path else "b", "/x"])[:2] != [1, 1]
    assert groups_in_c(signatures, ["/x", path]) == [1, 2]


def test_the_library_looks_at_paths_with_very_many_words_by_themselves() -> None:
    signatures = Signatures([Word(f"/{number:03}") for number in range(100)])
    few, many = ("".join(f"/{number:03}" for number in range(count)) for count in (60, 64))
    assert groups_in_c(signatures, [few, f"{few}/x", many, f"{many}/x"]) == [1, 1, 3, 4]


def test_a_word_that_does_not_decide_leaves_a_path_without_a_signature() -> None:
    signatures = Signatures([Word("ssh", decides=False), Word("etc")])
    assert signatures.find("/a/ssh") is None
    assert groups_in_c(signatures, ["/a/ssh", "/b/ssh", "/a", "/b", "/etc"]) == [1, 2, 3, 3, 5]


# ---- words stand for checks

_WHOLE = ("fd.name", "fd.nameraw", "fs.path.nameraw", "evt.arg.name", "evt.rawarg.name")
_ONE = ("=", "!=", "startswith", "endswith", "contains", "icontains", "glob", "iglob", "regex")
_LIST = ("in", "intersects", "pmatch")
_values = st.text("ab/", max_size=5) | st.text("ab/.é\t[]*?\\!^-", max_size=6)
_patterns = st.lists(
    st.sampled_from(
        ("/abab", "/ab", "abab", "a", "b", "/", ".", "*", "?", "+", "[ab]", "[^a]", "[!a]", "[]a]", "[[:alpha:]", "]",
         "[[:alpha:]abab]", "[abab", "{0}", "{1,2}", "{", "}", "\\", "\\.", "\\/", "^", "$", "|", "(", ")", "ab{0,1}",
         "b+*", ",", "-")
    ),
    max_size=6,
).map("".join)  # fmt: skip


def check(name: str, operator: str, *values: str) -> Check:
    """Return a check as the parser makes it."""
    texts = tuple(Text(value, quoted=True, place=PLACE) for value in values)
    right = TextList(texts, PLACE) if operator in _LIST else texts[0]
    return Check(FieldUse(name, None, PLACE), operator, right, "", PLACE)


def check_of_list(name: str, operator: str, values: list[str]) -> Check:
    """Return a check of a field with several values."""
    return check(name, operator, *values)


def loaded(wanted: Check) -> tuple[Check, Callable[[str], bool]]:
    """Return a check as it is after loading, and its verdict of an opened path; skip what is no valid check."""
    try:
        rules = load_text(rules_file([wanted]))
    except RulesError:
        reject()
    compiled = rules.rules[0].conditions[0]
    assert isinstance(compiled.tree, Check)
    return compiled.tree, lambda path: compiled.matches(make_event("openat", name=path))


_single = st.builds(check, st.sampled_from(_WHOLE), st.sampled_from(_ONE), _values | _patterns)
_several = st.builds(
    check_of_list, st.sampled_from(_WHOLE), st.sampled_from(_LIST), st.lists(_values, min_size=1, max_size=3)
)
_parts = st.builds(
    check, st.sampled_from(("fd.filename", "fd.directory")), st.sampled_from((*_ONE, "in", "pmatch")), _values
)
_paths = st.lists(
    _plain_paths | st.text("/ab.]*[\\{", max_size=6).map(lambda rest: f"/{rest}"), min_size=2, max_size=12
)


@examples
@given(_single | _several | _parts, _paths)
@example(check("fd.name", "contains", ""), ["/", "/a"])
@example(check("fd.name", "pmatch", "/"), ["/", "/a"])
@example(check("fd.name", "pmatch", "/a/*"), ["/a", "/a/b", "/b"])
@example(check("fd.filename", "=", ""), ["/", "/a"])
@example(check("fd.directory", "=", "/"), ["/", "/a", "/a/b"])
@example(check("fd.filename", "=", "a/b"), ["/a/b", "/b"])
@example(check("fd.filename", "endswith", "ab"), ["/ab/b", "/b/ab", "/aab", "/ab"])
@example(check("fd.filename", "startswith", "abab"), ["/abab/b", "/b/abab", "/b/aabab"])
@example(check("fd.filename", "contains", "abab"), ["/abab/b", "/b/abab", "/b/aababa"])
def test_paths_of_one_signature_have_one_verdict(wanted: Check, paths: list[str]) -> None:
    tree, verdict = loaded(wanted)
    words = words_of(tree)
    assume(words is not None)
    assert words is not None
    note(str(words))
    signatures = Signatures(words)
    by_signature: dict[tuple[int, ...], str] = {}
    for path in paths:
        signature = signatures.find(path)
        if signature is not None:
            other = by_signature.setdefault(signature, path)
            assert verdict(other) == verdict(path), (other, path)


_PATTERNS_TO_TEST = settings(examples, max_examples=150)


@_PATTERNS_TO_TEST
@given(st.sampled_from(("glob", "regex")), _patterns, _paths)
@example("regex", "/a[[:alpha:]abab]", ["/aa", "/ab"])
@example("regex", "/a[[:alpha:]abab]+", ["/aa", "/ab"])
@example("regex", "/ab[]^]+", ["/ab]", "/ab^^"])
@example("regex", "/ab[a]{1,1000}", ["/aba"])
@example("regex", "/abab+*", ["/aba", "/abab"])
@example("regex", "/aba(b)?", ["/aba", "/abab"])
@example("regex", "/(abab|/bab)+b?", ["/abab", "/babb"])
@example("regex", "(/abab)*|/bbbb", ["/bbbb", "/abab/abab"])
@example("glob", "/aba[b", ["/aba[b", "/abab"])
@example("glob", "/ab\\ab", ["/abab", "/ab\\ab"])
def test_what_matches_a_pattern_has_its_needed_word(operator: str, pattern: str, paths: list[str]) -> None:
    tree, verdict = loaded(check("fd.name", operator, pattern))
    words = words_of(tree)
    assume(words is not None)
    assert words is not None
    for path in [*paths, pattern, *(f"{a}{b}" for a, b in pairwise(paths))]:
        if is_plain(path) and verdict(path):
            assert any(word.text in marked(path) for word in words), (words, path)
            assert not any(word.decides for word in words)


@pytest.mark.parametrize(
    ("operator", "pattern", "word"),
    [
        ("glob", "/home/*/.ssh/*", "/.ssh/"), ("glob", "*/id_rsa", "/id_rsa\x02"),
        ("glob", "/usr/lib*/ld-linux*.so*", "/ld-linux"), ("glob", "/lib/modules/*.ko*", "\x01/lib/modules/"),
        ("glob", "/proc/[0-9]*/environ", "/environ\x02"), ("glob", "/a[]x]keys[!]]*", "keys"),
        ("glob", "/etc/x*[keys", "\x01/etc/x"), ("glob", "/etc/x*[k\\]eys", "\x01/etc/x"),
        ("glob", "/etc/p[a-z]*", "\x01/etc/p"),
        ("glob", "a*b", None), ("regex", "/etc/(pass|key)", "/etc/"), ("regex", ".*/id_rsa.*", "/id_rsa"),
        ("regex", "/(pass|key)", None), ("regex", "/root/[a-z]+/keys", "/root/"), ("regex", "/x/passwd?", "/x/passw"),
    ],
)  # fmt: skip
def test_patterns_have_a_needed_word_where_that_is_easy_to_say(operator: str, pattern: str, word: str | None) -> None:
    expected = None if word is None else [Word(word, decides=False)]
    assert words_of(check("fd.name", operator, pattern)) == expected


@pytest.mark.parametrize(
    ("operator", "value", "words"),
    [
        ("endswith", ".so", [Word(".so\x02")]), ("startswith", "lib", [Word("/lib", decides=False)]),
        ("contains", ".so.", [Word(".so.", decides=False)]),
        ("contains", ".so", None), ("startswith", "a", None), ("endswith", "", None), ("endswith", "a/b", None),
    ],
)  # fmt: skip
def test_a_part_of_a_file_name_has_words(operator: str, value: str, words: list[Word] | None) -> None:
    assert words_of(check("fd.filename", operator, value)) == words


def test_a_file_whose_name_does_not_end_as_a_rule_asks_is_ruled_out_by_its_path() -> None:
    rules = load_text(rules_file([check("fd.filename", "endswith", ".so")]))
    kind = Plan(rules).kinds["openat"][0]
    assert kind is not None
    assert [string.name for string in kind.strings] == ["name"]
