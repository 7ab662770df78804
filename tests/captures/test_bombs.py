"""Small files that claim or unpack to 10 GB: each verb ends with a sentence, soon, in bounded memory."""

from __future__ import annotations

import gzip
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.captures.scap.scap_files import block, section

if TYPE_CHECKING:
    from pathlib import Path

MEMBER = 16 << 20  # bytes that one member of the compressed files becomes
MEMBERS = 640  # 10 GB together
MEMORY = 160 << 20  # bytes that may be used at the most, interpreter and all
ADDRESS_SPACE = 2 << 30  # whose end is an error before the machine's memory is
SECONDS = 60
_NOTHING = 0x999  # a type of blocks that nobody knows

# As the program does, but for the time that it takes to start each time.
READING = """
import sys
from typer.testing import CliRunner
from hullwatch.cli.main import app
for line in sys.argv[1:]:
    found = CliRunner().invoke(app, line.split())
    print(found.output, found.exception, "<END>", flush=True)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def write(path: Path, member: bytes, first: bytes = b"") -> str:
    """Write a bomb: some bytes, and a member again and again."""
    packed = gzip.compress(member, 9, mtime=0)
    with path.open("wb") as stream:
        stream.write(gzip.compress(first) if first else b"")
        for _ in range(MEMBERS):
            stream.write(packed)
    assert MEMBERS * len(member) >= 10 << 30
    assert path.stat().st_size < 12 << 20
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bombs")


def test_files_that_become_or_claim_10_gb_end_with_a_sentence_in_bounded_memory_and_time(folder: Path) -> None:
    zeros = bytes(MEMBER)
    endless = "it unpacks to more than 250 times"
    claims = section() + (_NOTHING).to_bytes(4, "little") + (0xFFFFFFFC).to_bytes(4, "little") + bytes(100)
    (folder / "claims").write_bytes(claims)
    files = {
        f"events {write(folder / 'zeros', zeros)}": "it does not begin as one",
        f"events {write(folder / 'behind', zeros, section())}": "a block claims 0 bytes",
        f"capture export {write(folder / 'sound', block(_NOTHING, zeros[:-12]), section())}": endless,
        f"replay --source fields {folder / 'zeros'}": endless,
        f"capture info {folder / 'claims'}": "a block claims 4294967292 bytes",
    }
    done = subprocess.run(
        [sys.executable, "-c", READING, *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=SECONDS,
        preexec_fn=_limit,
        env={**os.environ, "HULLWATCH_DIRECTORIES_CACHE": str(folder)},
    )
    *said, used = done.stdout.split("<END>")
    assert len(said) == len(files)
    for words, (command, sentence) in zip(said, files.items(), strict=True):
        assert sentence in words, (command, words)
    assert int(used) << 10 < MEMORY
