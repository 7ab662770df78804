"""Object storage that speaks S3: objects of compressed lines, by day and hour, as query engines read them."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from hullwatch.config.settings import Duration
from hullwatch.errors import CannotError, UsageError
from hullwatch.extras import install
from hullwatch.outputs.output import (
    FilePath,
    FormattedOptions,
    Output,
    RefusedError,
    Secret,
    UnreachableError,
    Url,
    described,
    output,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

FULL = 1 << 19  # bytes of a batch behind which there is certainly more
_NOT_IN_KEY = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 64  # characters of a key's part
_FOR_GOOD = frozenset({"EntityTooLarge", "InvalidDigest", "BadDigest", "KeyTooLongError"})


class S3Options(FormattedOptions, kw_only=True, frozen=True, tag="s3"):
    """What can be set for object storage."""

    bucket: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9A-Z][a-zA-Z0-9._-]{1,254}$"), described("The bucket.")]
    prefix: Annotated[
        str,
        msgspec.Meta(pattern=r"^[A-Za-z0-9!_.*'()/=-]{0,256}$"),
        described("What the names of objects begin with; behind it date=YYYY-MM-DD/hour=HH/ of the first alert, UTC."),
    ] = "hullwatch/"
    url: Annotated[Url, described("Of a store that is not Amazon's: https://HOST:PORT; empty: Amazon's.")] = ""
    region: Annotated[str, described("The region; empty: what the environment says.")] = ""
    access_key: Annotated[
        Secret, described("The id of a key; empty: what the environment, the machine's or the pod's role gives.")
    ] = ""
    secret_key: Annotated[Secret, described("The key.")] = ""
    ca_file: Annotated[FilePath, described("File with the certificates of authorities that are trusted (PEM).")] = ""
    encryption: Annotated[str, described("The server's encryption: AES256, aws:kms; empty: the bucket's.")] = ""
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000), described("How many alerts an object has at most.")] = 10_000
    every: Annotated[
        Duration,
        described("Seconds between objects, while fewer alerts come than an object takes."),
    ] = 60.0


@output(S3Options)
class S3(Output):
    """Object storage that speaks S3: objects of compressed lines, partitioned by day and hour."""

    def __init__(self, options: S3Options, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: options that do not go together.
            CannotError: the library is missing.
        """
        where = f"outputs.{context.name}"
        try:
            library: Any = importlib.import_module("boto3.session")
            configuration: Any = importlib.import_module("botocore.config")
            self._errors: Any = importlib.import_module("botocore.exceptions")
        except ImportError as error:
            raise CannotError(f"{where}: S3 needs boto3; install it: {install('s3')}") from error
        if bool(options.access_key) != bool(options.secret_key):
            raise UsageError(f"{where}: access_key and secret_key go together.")
        if options.url and not options.url.startswith(("http://", "https://")):
            raise UsageError(f"{where}: url: it must begin with http:// or https:// and a host.")
        self._options = options
        self._where = f"{options.bucket} of {'the store' if options.url else 'S3'}"
        try:
            session = library.Session(
                aws_access_key_id=options.access_key or None,
                aws_secret_access_key=options.secret_key or None,
                region_name=options.region or None,
            )
            region = session.region_name or ("us-east-1" if options.url else None)
            if region is None:
                raise UsageError(f"{where}: region: say which, such as eu-central-1; the environment names none.")
            self._client: Any = session.client(
                "s3",
                region_name=region,
                endpoint_url=options.url or None,
                verify=options.ca_file or None,
                config=configuration.Config(
                    connect_timeout=options.timeout,
                    read_timeout=options.timeout,
                    retries={"total_max_attempts": 1},  # the queue tries again
                    s3={"addressing_style": "path" if options.url else "auto"},
                    # Stores that are not Amazon's often know no other checksum.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        except (self._errors.BotoCoreError, ValueError) as error:
            raise UsageError(f"{where}: {error}") from error

    def send(self, batch: Sequence[Message]) -> None:
        """Write one object; the same batch again is the same object."""
        body = b"".join(message.body + b"\n" for message in batch)
        key = self._key(batch)
        more = {"ServerSideEncryption": self._options.encryption} if self._options.encryption else {}
        try:
            self._client.put_object(
                Bucket=self._options.bucket,
                Key=key,
                Body=gzip.compress(body, 6, mtime=0),
                ContentType="application/gzip",  # not an encoding of lines: who asks would get them unpacked, under .gz
                **more,
            )
        except self._errors.ClientError as error:
            said = error.response.get("Error", {})
            sentence = f"{self._where} answers {said.get('Code', '')}: {said.get('Message', '')}"
            if said.get("Code") in _FOR_GOOD:
                raise RefusedError(sentence) from error
            raise UnreachableError(sentence) from error
        except self._errors.BotoCoreError as error:
            raise UnreachableError(f"{self._where}: {error}") from error
        self.answer = f"wrote {key}"
        self.rest = 0.0 if len(batch) >= self._options.batch or len(body) >= FULL else self._options.every

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _key(self, batch: Sequence[Message]) -> str:
        first = batch[0]
        moment = time.gmtime(first.alert.time // 1_000_000_000)
        ids = hashlib.sha256("\n".join(message.id for message in batch).encode()).hexdigest()[:16]
        host = _NOT_IN_KEY.sub("-", first.alert.hostname)[:_LONGEST_NAME] or "host"
        name = f"{host}-{time.strftime('%Y%m%dT%H%M%SZ', moment)}-{len(batch)}-{ids}.ndjson.gz"
        return f"{self._options.prefix}{time.strftime('date=%Y-%m-%d/hour=%H/', moment)}{name}"
