"""Stores to test with: SQLite, and a real PostgreSQL server where Debian's package is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.store.postgresql import PostgresqlDatabase
from hullwatch.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.store.database import Database

_PACKAGES = Path("/usr/lib/postgresql")
_PATIENCE = 60  # seconds


def _programs() -> Path | None:
    found = sorted(_PACKAGES.glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start a server of one's own on a private socket, as an ordinary user; return the URL of its database."""
    programs = _programs()
    if programs is None:
        pytest.skip("Debian's package postgresql is not installed")
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="hullwatch-pg-", dir="/tmp"))
    try:
        shutil.chown(folder, user)
        data = folder / "data"
        make = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "keeper", "--no-sync", "-E", "UTF8"]
        _run(make, user, folder)
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
        _run([*control, "-o", options, "start"], user, folder)
        try:
            yield f"postgresql://keeper@/postgres?host={folder}"
        finally:
            _run([*control, "-m", "immediate", "stop"], user, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], user: str, folder: Path) -> None:
    subprocess.run(
        command,
        user=user if os.geteuid() == 0 else None,
        group=pwd.getpwnam(user).pw_gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
        cwd=folder,
        check=True,
        timeout=_PATIENCE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def empty(server: str) -> str:
    """Return the URL of the server's database, with nothing in it."""
    database = PostgresqlDatabase(server)
    database.write("DROP SCHEMA public CASCADE")
    database.write("CREATE SCHEMA public")
    database.close()
    return server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return an empty database of each kind."""
    made: Database
    if request.param == "sqlite":
        made = SqliteDatabase(tmp_path / "store.db", make=True)
    else:
        made = PostgresqlDatabase(request.getfixturevalue("empty"))
    yield made
    made.close()
