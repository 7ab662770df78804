"""Kafka, by Confluent's client: a record for each alert, acknowledged by all replicas in sync."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from hullwatch.errors import CannotError, UsageError
from hullwatch.extras import install
from hullwatch.outputs.output import Output, RefusedError, Secret, UnreachableError, described, output
from hullwatch.outputs.tls import FormattedTlsOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

LARGEST = 1 << 20  # bytes of a record, as brokers have it unless they are told otherwise
# What a broker will say again, however often: about the record, not about the broker (Kafka's names of errors).
_FOR_GOOD = frozenset({"MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "INVALID_RECORD", "_KEY_SERIALIZATION"})
_MILLISECOND = 1_000_000  # ns


class KafkaOptions(FormattedTlsOptions, kw_only=True, frozen=True, tag="kafka"):
    """What can be set for Kafka."""

    brokers: Annotated[
        tuple[str, ...], msgspec.Meta(min_length=1, max_length=64), described("Some of the brokers, each HOST:PORT.")
    ]
    topic: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$"), described("The topic.")]
    key: Annotated[
        Literal["issue", "host", "none"],
        described("What records of one partition have in common; order is kept within: the issue, the host, nothing."),
    ] = "issue"
    tls: Annotated[bool, described("Speak TLS.")] = False
    user: Annotated[str, described("The user of SASL; empty: none.")] = ""
    password: Annotated[Secret, described("The user's password.")] = ""
    mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], described("How the password is proven.")
    ] = "SCRAM-SHA-512"
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"], described("How batches are compressed.")
    ] = "lz4"


@output(KafkaOptions)
class Kafka(Output):
    """Kafka: a record for each alert, with the alert's id as a header."""

    def __init__(self, options: KafkaOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: an option that does not go with the others.
            CannotError: the library is missing.
        """
        try:
            self._library: Any = importlib.import_module("confluent_kafka")
        except ImportError as error:
            raise CannotError(
                f"outputs.{context.name}: Kafka needs confluent-kafka; install it: {install('kafka')}"
            ) from error
        if bool(options.user) != bool(options.password):
            raise UsageError(f"outputs.{context.name}: user and password go together.")
        for broker in options.brokers:
            if not broker.isascii() or not broker.isprintable() or "," in broker or not broker.strip():
                raise UsageError(f"outputs.{context.name}: brokers: a broker is HOST:PORT, each a text of its own.")
        self._options = options
        self._said: list[str] = []  # by the library, since the last batch
        self._producer: Any = None

    def send(self, batch: Sequence[Message]) -> None:
        """Hand all of the batch to the library and wait until the brokers have it."""
        if self._producer is None:
            self._producer = self._library.Producer(self._configuration(), logger=_silent())
        outcomes: list[Any] = [None] * len(batch)  # an error, or True when a broker has it
        try:
            self._produce(batch, outcomes)
            self._producer.flush(self._options.timeout)
        except BufferError as error:
            self._start_anew()
            raise UnreachableError("the Kafka library's own queue is full") from error
        delivered = next((number for number, one in enumerate(outcomes) if one is not True), len(batch))
        if delivered == len(batch):
            self.answer = f"{delivered} acknowledged"
            return
        failed = outcomes[delivered]
        if failed is not None and failed.name() in _FOR_GOOD:
            raise RefusedError(self._sentence(failed), delivered=delivered)
        self._start_anew()
        raise UnreachableError(self._sentence(failed), delivered=delivered)

    def close(self) -> None:
        """End the connections."""
        self._start_anew()

    def _produce(self, batch: Sequence[Message], outcomes: list[Any]) -> None:
        """Hand the messages to the library up to the first that it will not take."""
        for number, message in enumerate(batch):
            try:
                self._producer.produce(
                    self._options.topic,
                    value=message.body,
                    key=self._key(message),
                    headers=[("id", message.id.encode()), ("kind", message.kind.encode())],
                    timestamp=message.alert.time // _MILLISECOND,
                    on_delivery=_note(outcomes, number),
                )
            except self._library.KafkaException as error:
                outcomes[number] = error.args[0]
                return

    def _key(self, message: Message) -> bytes | None:
        if self._options.key == "none":
            return None
        return (message.key if self._options.key == "issue" else message.alert.hostname).encode("utf-8", "replace")

    def _configuration(self) -> dict[str, Any]:
        options = self._options
        protocol = ("SASL_" if options.user else "") + ("SSL" if options.tls else "PLAINTEXT")
        given: dict[str, Any] = {
            "bootstrap.servers": ",".join(options.brokers),
            "client.id": "hullwatch",
            "acks": "all",
            "enable.idempotence": True,  # the library's own repeats come once, and in order
            "compression.type": options.compression,
            "linger.ms": 5,
            "message.max.bytes": LARGEST,
            "message.timeout.ms": int(options.timeout * 1000),
            "socket.timeout.ms": int(options.timeout * 1000),
            "security.protocol": protocol,
            "error_cb": self._hear,
        }
        if options.user:
            given |= {"sasl.mechanism": options.mechanism, "sasl.username": options.user}
            given["sasl.password"] = options.password
        paths = {"ssl.ca.location": options.ca_file, "ssl.certificate.location": options.certificate_file}
        paths["ssl.key.location"] = options.key_file
        return given | {name: path for name, path in paths.items() if path}

    def _hear(self, error: Any) -> None:
        """Note what the library says of the brokers; the last of it explains a time-out best."""
        self._said = [*self._said[-4:], str(error.str())]

    def _sentence(self, error: Any) -> str:
        heard, self._said = self._said, []
        said = str(error.str()) if error is not None else f"no answer within {self._options.timeout:g} s"
        return f"Kafka, topic {self._options.topic}: {said}" + (f" ({heard[-1]})" if heard else "")

    def _start_anew(self) -> None:
        """Forget what the library still has of a batch: it is sent again as a whole."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(1.0)
            self._producer = None


def _note(outcomes: list[Any], number: int) -> Any:
    def note(error: Any, _: Any) -> None:
        outcomes[number] = True if error is None else error

    return note


def _silent() -> logging.Logger:
    """Return a logger that says nothing: what the library writes on standard error is not ours to show."""
    logger = logging.Logger("hullwatch.kafka")  # noqa: LOG001 - of its own, so that no other handler sees it
    logger.addHandler(logging.NullHandler())
    return logger
