"""Against a store that speaks S3: moto's, in a thread."""

import functools
import gzip
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.errors import CannotError, UsageError
from hullwatch.formats.sample import sample_alert
from hullwatch.outputs.output import UnreachableError
from hullwatch.outputs.router import Router
from hullwatch.outputs.s3 import S3, S3Options
from tests.outputs.messages import context, message, messages
from tests.receivers import alert, placement, wait_until

KEYS: dict[str, Any] = {"access_key": "AKIDEXAMPLE", "secret_key": "s3cr3ts3cr3t", "region": "eu-central-1"}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """Return the URL of a store with the bucket ``alerts``."""
    moto: Any = importlib.import_module("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client(url).create_bucket(Bucket="alerts", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield url
    server.stop()


@functools.cache
def client(url: str) -> Any:
    boto3: Any = importlib.import_module("boto3")
    return boto3.client(
        "s3", endpoint_url=url, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="y"
    )


def objects(url: str, prefix: str) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of each object by its key."""
    found = client(url).list_objects_v2(Bucket="alerts", Prefix=prefix).get("Contents", [])
    read = {one["Key"]: client(url).get_object(Bucket="alerts", Key=one["Key"])["Body"].read() for one in found}
    return {key: [json.loads(line) for line in gzip.decompress(body).splitlines()] for key, body in read.items()}


def made(url: str, tmp_path: Path, **changes: Any) -> S3:
    return S3(S3Options(bucket="alerts", url=url, **{**KEYS, **changes}), context(tmp_path))


@pytest.fixture(scope="module")
def lake(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Return an output; to make one takes the library a second."""
    output = made(store, tmp_path_factory.mktemp("lake"), batch=5, every=30.0)
    yield output
    output.close()


def test_a_batch_is_one_object_of_compressed_lines_by_day_and_hour_and_the_same_one_again(lake: S3, store: str) -> None:
    lake.send(messages(5))
    lake.send(messages(5))
    ((key, lines),) = objects(store, "hullwatch/date=2026-11-21/hour=23/node1").items()
    assert key.startswith("hullwatch/date=2026-11-21/hour=23/node1-20261121T234005Z-5-")
    assert key.endswith(".ndjson.gz")
    assert [line["id"] for line in lines] == [f"r7k2-{number}" for number in range(5)]
    assert lake.answer == f"wrote {key}"


def test_a_small_batch_is_followed_by_a_rest_and_a_full_one_by_none(lake: S3) -> None:
    lake.send(messages(1))
    assert lake.rest == 30.0
    lake.send(messages(5))
    assert lake.rest == 0.0


def test_what_comes_while_an_output_rests_is_one_object(store: str, tmp_path: Path) -> None:
    table = {"type": "s3", "bucket": "alerts", "url": store, "prefix": "e/", "every": 0.5, **KEYS}
    router = Router(Settings(outputs={"lake": table}), Counters(), tmp_path)
    take(router, range(1))
    wait_until(lambda: router.status()[0].delivered == 1)
    take(router, range(1, 10))
    take(router, range(10, 20))
    wait_until(lambda: router.status()[0].delivered == 20)
    assert [len(lines) for lines in objects(store, "e/").values()] == [1, 19]
    router.close()


def take(router: Router, numbers: range) -> None:
    alerts = [alert(number) for number in numbers]
    router.take(alerts, [placement(one) for one in alerts])


def test_a_hostile_host_name_stays_in_its_part_of_the_key(lake: S3) -> None:
    lake.send([message(1, alert=replace(sample_alert(), hostname="../../x/\n\x1b?"))])
    assert lake.answer.startswith("wrote hullwatch/date=2026-11-21/hour=23/..-..-x-----20261121T")


def test_what_the_store_answers_and_a_store_that_is_gone_are_told_without_the_key(store: str, tmp_path: Path) -> None:
    missing = S3(S3Options(bucket="nothing", url=store, **KEYS), context(tmp_path))
    with pytest.raises(UnreachableError, match="nothing of the store answers NoSuchBucket"):
        missing.send(messages(1))
    gone = made("http://127.0.0.1:1", tmp_path, timeout=1.0)
    with pytest.raises(UnreachableError) as caught:
        gone.send(messages(1))
    assert "s3cr3t" not in str(caught.value)
    missing.close()
    gone.close()


def test_what_does_not_go_together_and_a_missing_library_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="access_key and secret_key go together"):
        made("http://x", tmp_path, secret_key="")
    with pytest.raises(UsageError, match="url: it must begin with"):
        made("ftp://x", tmp_path)
    with pytest.raises(UsageError, match="region: say which"):
        made("", tmp_path, region="")
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(CannotError, match=r"install .*\[s3\]"):
        made("http://x", tmp_path)
