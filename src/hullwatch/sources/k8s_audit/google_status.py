"""The status that an API server answered with, which a LogEntry does not have: found from what it has instead."""

from __future__ import annotations

from hullwatch.sources.k8s_audit.shapes import at, items, present, table, text

# Codes of gRPC (google.rpc.Code) and what the API server answers in such a case.
_OF_GRPC = {
    1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
    14: 503, 15: 500, 16: 401,
}  # fmt: skip
_STREAMS = frozenset({"exec", "attach", "portforward"})
DECISION = "authorization.k8s.io/decision"


def status_of(payload: dict[str, object], labels: dict[str, object], verb: str, subresource: str) -> dict[str, object]:
    """Return the ``responseStatus`` of an entry.

    The answer itself says it where it is a Status; else the code of gRPC; else whether the request was allowed.

    Args:
        payload: of the entry.
        labels: of the entry, in which the API server's annotations are.
        verb: of the request.
        subresource: of the request, empty for none.
    """
    message = text(at(payload, "status", "message"))
    answered = at(payload, "response", "code")
    grpc = at(payload, "status", "code")
    if isinstance(answered, int) and 100 <= answered < 600 and _is_status(payload):
        code = answered
    elif isinstance(grpc, int) and grpc:
        code = _OF_GRPC.get(grpc, 500)
    elif _denied(payload, labels):
        code = 403
    elif subresource in _STREAMS:
        code = 101
    else:
        code = 201 if verb == "create" else 200
    status: dict[str, object] = {"metadata": {}}
    return status | present(code=code, message=message)


def _is_status(payload: dict[str, object]) -> bool:
    kind = text(at(payload, "response", "kind")) or text(at(payload, "response", "@type"))
    return kind.rpartition(".")[2] == "Status"


def _denied(payload: dict[str, object], labels: dict[str, object]) -> bool:
    """Tell whether the request was refused; JSON of protobuf leaves ``granted`` out when it is false."""
    decision = text(labels.get(DECISION))
    if decision:
        return decision == "forbid"
    asked = items(payload.get("authorizationInfo"))
    return bool(asked) and not all(table(one).get("granted") is True for one in asked)
