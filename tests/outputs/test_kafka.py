"""Against the broker that is built into librdkafka: it speaks the protocol over TCP, and stores nothing on a disk."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from msgspec.structs import replace

from hullwatch.errors import CannotError, UsageError
from hullwatch.formats.sample import sample_alert
from hullwatch.outputs.kafka import Kafka, KafkaOptions
from hullwatch.outputs.output import RefusedError, UnreachableError
from tests.outputs.messages import context, message, messages


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """Return the address of a broker."""
    settings: dict[str, Any] = {"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0}
    holder: Any = confluent_kafka.Producer(settings)
    (found,) = holder.list_topics(timeout=10).brokers.values()
    yield f"{found.host}:{found.port}"
    holder.flush(0)


def stored(broker: str, topic: str, number: int) -> list[Any]:
    """Return so many records of a topic, as another client reads them."""
    settings: dict[str, Any] = {"bootstrap.servers": broker, "group.id": "test", "auto.offset.reset": "earliest"}
    consumer: Any = confluent_kafka.Consumer(settings | {"log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, one, 0) for one in partitions])
        return consumer.consume(number, timeout=10)
    finally:
        consumer.close()


def test_the_mock_broker_has_every_alert_in_order_with_its_id_key_and_time(broker: str, tmp_path: Path) -> None:
    kafka = Kafka(KafkaOptions(brokers=(broker,), topic="alerts"), context(tmp_path))
    sent = messages(50)
    kafka.send(sent)
    found = stored(broker, "alerts", 50)
    assert [one.value() for one in found] == [one.body for one in sent]
    assert dict(found[3].headers()) == {"id": b"r7k2-3", "kind": b"alert"}
    assert {one.key() for one in found} == {b"i5c3e9a"}
    assert found[0].timestamp() == (confluent_kafka.TIMESTAMP_CREATE_TIME, sent[0].alert.time // 1_000_000)
    assert kafka.answer == "50 acknowledged"
    kafka.close()


def test_with_the_mock_broker_a_record_that_is_too_large_is_refused_and_the_ones_before_it_are_delivered(
    broker: str, tmp_path: Path
) -> None:
    kafka = Kafka(KafkaOptions(brokers=(broker,), topic="large"), context(tmp_path))
    huge = replace(message(1), body=b"x" * (2 << 20))
    with pytest.raises(RefusedError, match=r"topic large: .*large") as caught:
        kafka.send([message(0), huge, message(2)])
    assert caught.value.delivered == 1
    kafka.send([message(2)])
    assert len(stored(broker, "large", 2)) == 2
    kafka.close()


def test_no_broker_is_told_after_the_time_out_and_the_batch_can_be_sent_again(tmp_path: Path) -> None:
    kafka = Kafka(KafkaOptions(brokers=("127.0.0.1:1",), topic="alerts", timeout=0.5), context(tmp_path))
    with pytest.raises(UnreachableError, match=r"Kafka, topic alerts: .*127.0.0.1:1.*refused") as caught:
        kafka.send(messages(2))
    assert caught.value.delivered == 0
    kafka.close()


def test_the_key_is_the_issue_the_host_or_none(tmp_path: Path) -> None:
    keys: dict[Any, bytes | None] = {"issue": b"i5c3e9a", "host": b"node\xef\xbf\xbd", "none": None}
    for key, expected in keys.items():
        options = KafkaOptions(brokers=("x:1",), topic="t", key=key)
        one = message(1, alert=replace(sample_alert(), hostname="node\ufffd"))
        assert Kafka(options, context(tmp_path))._key(one) == expected


def test_options_become_the_librarys_and_secrets_stay_out_of_sentences(tmp_path: Path) -> None:
    options = KafkaOptions(
        brokers=("a:9093", "b:9093"), topic="t", tls=True, user="hullwatch", password="hunter22", ca_file="/ca.pem"
    )
    kafka = Kafka(options, context(tmp_path))
    given = kafka._configuration()
    assert given["bootstrap.servers"] == "a:9093,b:9093"
    assert given["security.protocol"] == "SASL_SSL"
    assert (given["sasl.mechanism"], given["sasl.username"]) == ("SCRAM-SHA-512", "hullwatch")
    assert given["ssl.ca.location"] == "/ca.pem"
    assert "hunter22" not in kafka._sentence(None)


def test_what_does_not_go_together_and_a_missing_library_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="user and password go together"):
        Kafka(KafkaOptions(brokers=("a:1",), topic="t", user="x"), context(tmp_path))
    with pytest.raises(UsageError, match="each a text of its own"):
        Kafka(KafkaOptions(brokers=("a:1,b:1",), topic="t"), context(tmp_path))
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(CannotError, match=r"outputs\.siem: .* install .*\[kafka\]"):
        Kafka(KafkaOptions(brokers=("a:1",), topic="t"), context(tmp_path))
