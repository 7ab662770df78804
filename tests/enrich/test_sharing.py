"""Values that are equal become one object, and what is known of them is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich import sharing
from hullwatch.enrich.container import Container, Mount, decode, encode, shared
from hullwatch.enrich.sharing import LONGEST_KEPT, Shared

if TYPE_CHECKING:
    import pytest

WEB = Container(
    id="a" * 12, full_id="a" * 64, name="web", image="registry.example/web:1", labels={"tier": "front", "team": "shop"},
    mounts=(Mount("/srv", "/data"),), command=("nginx", "-g", "daemon off;"), created=1_790_000_000_000_000_000,
)  # fmt: skip


def test_containers_that_are_alike_share_all_that_is_equal() -> None:
    known = Shared()
    first, second = (shared(decode(encode(WEB)), known) for _ in range(2))
    assert first == second == WEB
    for name in ("image", "labels", "mounts", "command", "name"):
        assert getattr(first, name) is getattr(second, name), name


def test_a_label_that_differs_shares_the_others() -> None:
    known = Shared()
    tables = [known.table({"tier": b"front".decode(), "number": str(number)}) for number in range(2)]
    assert [table["number"] for table in tables] == ["0", "1"]
    assert tables[0]["tier"] is tables[1]["tier"]


@given(st.lists(st.one_of(st.text(), st.text(min_size=LONGEST_KEPT, max_size=2 * LONGEST_KEPT))))
def test_what_comes_back_is_equal(texts: list[str]) -> None:
    known = Shared()
    for _ in range(2):
        assert [known.text(text) for text in texts] == texts
        assert known.entries((*texts, 7)) == (*texts, 7)
        assert known.table(dict.fromkeys(texts, "x")) == dict.fromkeys(texts, "x")


def test_what_is_known_is_bounded_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "SIZE_KEPT", 10_000)
    known = Shared()
    for number in range(10_000):
        known.text(f"{number}")
        known.entries((f"{number}", number))
        known.table({f"{number}": "x"})
        known.text("y" * (LONGEST_KEPT + number))
    assert len(known._texts) + len(known._lists) + len(known._tables) < 200
