"""Podman's files are found with their users, and opened only when they are what they should be."""

from __future__ import annotations

import os
import pwd
import socket
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hullwatch.errors import CannotError
from hullwatch.sources import podman_files
from hullwatch.sources.podman_files import StorageSearch, open_images, open_state

if TYPE_CHECKING:
    from pathlib import Path

USER = os.geteuid()


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "libpod").mkdir()
    (tmp_path / "overlay-images").mkdir()
    return tmp_path


def read(descriptor: int) -> bytes:
    try:
        return os.pread(descriptor, 100, 0)
    finally:
        os.close(descriptor)


def hang(*_: object) -> None:
    time.sleep(600)


def never(_: int) -> bool:
    return False


def test_the_state_that_was_written_last_is_opened(storage: Path) -> None:
    (storage / "libpod/bolt_state.db").write_text("bolt")
    (storage / "db.sql").write_text("sqlite")
    os.utime(storage / "libpod/bolt_state.db", ns=(5, 5))
    assert read(open_state(str(storage), USER)) == b"sqlite"
    os.utime(storage / "db.sql", ns=(1, 1))
    assert read(open_state(str(storage), USER)) == b"bolt"


def test_the_list_of_images_lies_beside_it(storage: Path) -> None:
    (storage / "overlay-images/images.json").write_text("[]")
    assert read(open_images(str(storage), USER)) == b"[]"


def test_what_is_not_the_user_s_is_not_opened(storage: Path) -> None:
    (storage / "libpod/bolt_state.db").write_text("bolt")
    with pytest.raises(CannotError, match="that user 4711 owns"):
        open_state(str(storage), 4711)


def test_a_link_to_a_file_of_somebody_else_is_not_followed_into_it(storage: Path) -> None:
    (storage / "libpod/bolt_state.db").symlink_to("/etc/hostname")
    with pytest.raises(CannotError, match="owns"):
        open_state(str(storage), USER + 1)


def test_a_pipe_a_socket_and_a_directory_are_no_state(storage: Path) -> None:
    path = storage / "libpod/bolt_state.db"
    for make in (os.mkfifo, os.mkdir):
        make(path)
        with pytest.raises(CannotError):
            open_state(str(storage), USER)
        path.rmdir() if path.is_dir() else path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(CannotError):
            open_state(str(storage), USER)


def test_a_device_is_not_opened_to_look_at_it(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (storage / "libpod/bolt_state.db").symlink_to("/dev/zero")
    monkeypatch.setattr(podman_files, "_READ", 1 << 62)  # an opening that would fail otherwise
    with pytest.raises(CannotError, match="owns"):
        open_state(str(storage), USER)


def test_a_directory_that_hangs_holds_nobody_up(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman_files, "PATIENCE", 0.1)
    monkeypatch.setattr(podman_files, "_newest", hang)
    before = time.monotonic()
    with pytest.raises(CannotError, match="takes too long"):
        open_state(str(storage), USER)
    assert time.monotonic() - before < 10


def test_with_too_many_that_hang_nothing_is_begun(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman_files, "_lost", [-1, -2, -3, -4])
    monkeypatch.setattr(podman_files, "_has_ended", never)
    with pytest.raises(CannotError, match="hang"):
        open_state(str(storage), USER)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with root's storage and two users who may have containers, in directories of the test."""
    monkeypatch.setattr(podman_files, "SYSTEM", str(tmp_path / "system"))
    monkeypatch.setattr(podman_files, "SYSTEM_SETTINGS", (str(tmp_path / "storage.conf"),))
    monkeypatch.setattr(podman_files, "SUBORDINATES", str(tmp_path / "subuid"))
    (tmp_path / "subuid").write_text("anna:100000:65536\n4712:1:1\nnobody-there:1:1\nodd line\nanna\xff:1\n")
    people = {name: SimpleNamespace(pw_name=name, pw_uid=uid, pw_dir=str(tmp_path / name)) for name, uid in PEOPLE}
    monkeypatch.setattr(pwd, "getpwnam", people.__getitem__)
    monkeypatch.setattr(pwd, "getpwuid", {one.pw_uid: one for one in people.values()}.__getitem__)
    return tmp_path


PEOPLE = (("anna", 4711), ("bert", 4712))


def keep(folder: Path, user: int) -> None:
    (folder / "libpod").mkdir(parents=True)
    (folder / "libpod/bolt_state.db").write_text("bolt")
    os.chown(folder / "libpod/bolt_state.db", user, user)


@pytest.mark.skipif(USER != 0, reason="giving files to others needs root")
def test_storages_are_found_with_their_users(host: Path) -> None:
    keep(host / "system", 0)
    keep(host / "anna/.local/share/containers/storage", 4711)
    keep(host / "elsewhere/bert", 4712)
    (host / "bert/.config/containers").mkdir(parents=True)
    (host / "bert/.config/containers/storage.conf").write_text(f'[storage]\ngraphroot = "{host}/elsewhere/bert"\n')
    found = StorageSearch().find()
    assert found == [
        (str(host / "system"), 0),
        (str(host / "anna/.local/share/containers/storage"), 4711),
        (str(host / "elsewhere/bert"), 4712),
    ]


@pytest.mark.skipif(USER != 0, reason="giving files to others needs root")
def test_the_system_s_settings_say_where_they_are_and_nonsense_says_nothing(host: Path) -> None:
    keep(host / "big", 0)
    keep(host / "rootless/anna", 4711)
    keep(host / "rootless/bert", 4711)  # it is not bert's
    (host / "storage.conf").write_text(
        f'[storage]\ngraphroot = "{host}/big"\nrootless_storage_path = "{host}/rootless/$USER"\n'
    )
    assert StorageSearch().find() == [(str(host / "big"), 0), (str(host / "rootless/anna"), 4711)]
    for text in ("[storage", "storage = 5", '[storage]\ngraphroot = ["x"]', '[storage]\ngraphroot = "relative"'):
        (host / "storage.conf").write_text(text)
        assert StorageSearch().find() == []


def test_one_who_asks_often_is_told_the_same_for_a_while(host: Path) -> None:
    search = StorageSearch()
    assert search.find() == []
    if USER == 0:
        keep(host / "system", 0)
        assert search.find() == []
        assert StorageSearch().find() == [(str(host / "system"), 0)]
