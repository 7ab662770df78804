"""Connections that sensors have seen pods make, and which of them go to a database or a vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# Ports that such servers have unless somebody changes them.
STORES = {
    1433: "Microsoft SQL Server",
    1521: "Oracle",
    2379: "etcd",
    3306: "MySQL",
    5432: "PostgreSQL",
    5984: "CouchDB",
    6379: "Redis",
    7687: "Neo4j",
    8086: "InfluxDB",
    8200: "Vault",
    9042: "Cassandra",
    9200: "Elasticsearch",
    11211: "Memcached",
    26257: "CockroachDB",
    27017: "MongoDB",
    50000: "Db2",
}
# Beginnings of names, before a digit, a hyphen or a dot.
_NAMES = {
    "postgres": "PostgreSQL",
    "pg": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MySQL",
    "mongo": "MongoDB",
    "mongodb": "MongoDB",
    "redis": "Redis",
    "vault": "Vault",
    "etcd": "etcd",
    "secretsmanager": "AWS Secrets Manager",
    "secretmanager": "Google Secret Manager",
}
_ENDINGS = {
    ".vault.azure.net": "Azure Key Vault",
    ".database.windows.net": "Azure SQL",
    ".rds.amazonaws.com": "Amazon RDS",
    ".secretsmanager.amazonaws.com": "AWS Secrets Manager",
}


class Connection(NamedTuple):
    """A connection that a pod made.

    Attributes:
        namespace: of the pod.
        pod: its name.
        address: of the other end.
        port: of the other end.
        name: of the other end, if one is known.
    """

    namespace: str
    pod: str
    address: str
    port: int
    name: str = ""


class Reached(NamedTuple):
    """A database or vault: what it is, and where."""

    what: str
    where: str


def classify(connection: Connection) -> Reached | None:
    """Return the database or vault that a connection goes to; None for another one. Names tell more than ports."""
    name = connection.name.lower().rstrip(".")
    first = name.partition(".")[0]
    word = first.partition("-")[0].rstrip("0123456789")
    what = next((told for ending, told in _ENDINGS.items() if name.endswith(ending)), "")
    what = what or _NAMES.get(first, "") or _NAMES.get(word, "") or STORES.get(connection.port, "")
    return Reached(what, f"{name or connection.address}:{connection.port}") if what else None


def reached_by(connections: Iterable[Connection]) -> dict[tuple[str, str], dict[Reached, None]]:
    """Return the databases and vaults of each pod, by its namespace and name."""
    found: dict[tuple[str, str], dict[Reached, None]] = {}
    for one in connections:
        reached = classify(one)
        if reached is not None:
            found.setdefault((one.namespace, one.pod), {})[reached] = None
    return found
