"""A server that ends connections, as when it is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.store import reading
from hullwatch.store.database import StoreError
from hullwatch.store.postgresql import PostgresqlDatabase
from hullwatch.store.reading import AlertReader, Wanted
from tests.store.stored import batch, keeping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement


def end_others(server: str) -> None:
    """Have the server end all connections but this one."""
    database = PostgresqlDatabase(server)
    database.read(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state <> ''"
    )
    database.close()


def test_a_keeper_goes_on_when_the_server_has_ended_its_connection(empty: str) -> None:
    database = PostgresqlDatabase(empty)
    keeper = keeping(database)
    keeper.take(batch(0, 10))
    end_others(empty)
    with pytest.raises(StoreError, match="cannot be used"):
        keeper.take(batch(10, 10))
    keeper.take(batch(10, 10))
    assert AlertReader(database).count(Wanted()) == 20
    assert reading.issues(database)[0].count == 20
    database.close()


def test_a_transaction_whose_connection_was_lost_is_nowhere_and_can_be_had_again(empty: str) -> None:
    database = PostgresqlDatabase(empty)
    keeper = keeping(database)
    keeper.take(batch(0, 10))

    def lose(_alerts: Sequence[Alert], _placements: Sequence[Placement | None]) -> None:
        end_others(empty)

    with pytest.raises(StoreError, match="cannot be used"):
        keeper.take(batch(10, 10), lose)
    assert AlertReader(database).count(Wanted()) == 10
    keeper.take(batch(5, 15))
    assert AlertReader(database).count(Wanted()) == 20
    assert reading.issues(database)[0].count == 20
    database.close()


def test_who_only_reads_cannot_write_after_another_connection_either(empty: str) -> None:
    writer = keeping(PostgresqlDatabase(empty))
    writer.take(batch(0, 1))
    writer.close()
    reader = PostgresqlDatabase(empty, write=False)
    end_others(empty)
    with pytest.raises(StoreError):
        reader.read("SELECT 1")
    assert reader.read("SELECT count(*) FROM alerts") == [(1,)]
    with pytest.raises(StoreError, match="read-only"):
        reader.write("DELETE FROM alerts")
    reader.close()
