"""A stand-in for the Kubernetes API: lists in pages, watches, and all the ways in which the real one says no.

It speaks HTTP/1.1 as the API's documentation has it. There is no API server for tests; that kubectl takes this one for
one is a test of its own.
"""

from __future__ import annotations

import base64
import json
import select
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from hullwatch.enrich.kubernetes.resources import RESOURCES, Resource

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

Object = dict[str, Any]
_BY_PATH = {one.path: one for one in RESOURCES}


class Refusal(Exception):  # noqa: N818 - it is an answer
    def __init__(self, code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.headers = code, reason, headers or {}

    @property
    def status(self) -> Object:
        status: Object = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self),
            "reason": self.reason, "code": self.code,
        }  # fmt: skip
        return status


class KubernetesApi:
    """The state that it serves, and what is to go wrong.

    Attributes:
        asked: path and query of each request, in their order.
        denied: verb and name of resources that nobody may have: ``("watch", "pods")``.
        refusals: answers for the next requests of a path, instead of the real ones.
        token: that a request has to have; empty for any.
        page_limit: objects of a page at most, whatever is asked for.
        slow: seconds between the parts of a stream.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.denied: set[tuple[str, str]] = set()
        self.refusals: dict[str, list[Refusal]] = {}
        self.token = ""
        self.page_limit = 500
        self.slow = 0.0
        self.broken_lines: list[bytes] = []  # that streams send next, as they are
        self._changed = threading.Condition()
        self._objects: dict[str, dict[tuple[str, str], Object]] = {one.path: {} for one in RESOURCES}
        self._log: list[tuple[int, str, str, Object]] = []  # version, path, type, object
        self._version = 100
        self._oldest = 100  # what is older is forgotten
        self._round = 0  # streams of a round before end
        self._continues_are_gone = False
        self.streams = 0  # that are open
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that goes away is what is tested

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.disconnect()
        self._server.shutdown()
        self._server.server_close()

    # ---- what happens in the cluster

    def put(self, resource: Resource, found: Object) -> Object:
        """Make an object, or change it; all streams are told."""
        with self._changed:
            metadata = found.setdefault("metadata", {})
            key = metadata.get("namespace", ""), metadata["name"]
            self._version += 1
            metadata["resourceVersion"] = str(self._version)
            kind = "MODIFIED" if key in self._objects[resource.path] else "ADDED"
            made = {"kind": resource.kind, "apiVersion": resource.version, **found}
            self._objects[resource.path][key] = made
            self._log.append((self._version, resource.path, kind, made))
            self._changed.notify_all()
            return made

    def delete(self, resource: Resource, namespace: str, name: str, *, silently: bool = False) -> None:
        """Take an object away; silently: no stream is told, as when nobody listened."""
        with self._changed:
            found = self._objects[resource.path].pop((namespace, name))
            self._version += 1
            gone = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self._version)}}
            if not silently:
                self._log.append((self._version, resource.path, "DELETED", gone))
            self._changed.notify_all()

    def bookmark(self, resource: Resource) -> int:
        """Tell streams of a version at which nothing of theirs has changed."""
        with self._changed:
            self._version += 10
            mark: Object = {
                "kind": resource.kind, "apiVersion": resource.version,
                "metadata": {"resourceVersion": str(self._version), "creationTimestamp": None},
            }  # fmt: skip
            self._log.append((self._version, resource.path, "BOOKMARK", mark))
            self._changed.notify_all()
            return self._version

    def forget(self) -> None:
        """Forget all changes: who asks for what came after one of them is answered 410, also in open streams."""
        with self._changed:
            self._version += 1
            self._oldest = self._version
            self._log.clear()
            self._round += 1
            self._changed.notify_all()

    def forget_continues(self, *, gone: bool = True) -> None:
        self._continues_are_gone = gone

    def disconnect(self) -> None:
        """End all streams, in the middle of a chunk."""
        with self._changed:
            self._round += 1
            self._changed.notify_all()

    def tell_error(self, refusal: Refusal) -> None:
        """Have the next stream that waits be told of an ERROR."""
        with self._changed:
            self.broken_lines.append(_line("ERROR", refusal.status))
            self._changed.notify_all()

    # ---- answers

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, query))
        try:
            if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
                raise Refusal(401, "Unauthorized", "Unauthorized")
            waiting = self.refusals.get(parts.path)
            if waiting:
                raise waiting.pop(0)
            found = self._discovery(parts.path)
            if found is not None:
                _send(handler, 200, found)
                return
            resource = _BY_PATH.get(_without_namespace(parts.path))
            if resource is None:
                raise Refusal(404, "NotFound", "the server could not find the requested resource")
            verb = "watch" if query.get("watch") in {"1", "true"} else "list"
            if (verb, resource.name) in self.denied:
                text = f'{resource.name} is forbidden: User "hullwatch" cannot {verb} resource "{resource.name}"'
                raise Refusal(403, "Forbidden", text)
            if verb == "watch":
                self._stream(handler, resource, query)
            else:
                _send(handler, 200, self._page(resource, query, parts.path))
        except Refusal as refusal:
            _send(handler, refusal.code, refusal.status, refusal.headers)

    def _page(self, resource: Resource, query: dict[str, str], path: str) -> Object:
        with self._changed:
            version, begin = self._version, ("", "")
            if "continue" in query:
                if self._continues_are_gone:
                    raise Refusal(410, "Expired", "The provided continue parameter is too old")
                version, begin = json.loads(base64.b64decode(query["continue"]))
            namespace = path.split("/namespaces/")[1].split("/", maxsplit=1)[0] if "/namespaces/" in path else ""
            listed = [
                (key, one)
                for key, one in sorted(self._objects[resource.path].items())
                if key > tuple(begin) and _selected(one, query) and (not namespace or key[0] == namespace)
            ]
        limit = min(int(query.get("limit", "0")) or 1 << 30, self.page_limit if "limit" in query else 1 << 30)
        page, rest = listed[:limit], listed[limit:]
        metadata: Object = {"resourceVersion": str(version)}
        if rest:
            metadata["continue"] = base64.b64encode(json.dumps([version, page[-1][0]]).encode()).decode()
            metadata["remainingItemCount"] = len(rest)
        items = [{name: value for name, value in one.items() if name not in {"kind", "apiVersion"}} for _, one in page]
        return {"kind": f"{resource.kind}List", "apiVersion": resource.version, "metadata": metadata, "items": items}

    def _stream(self, handler: BaseHTTPRequestHandler, resource: Resource, query: dict[str, str]) -> None:
        with self._changed:
            since, seen_round = int(query.get("resourceVersion", "0")), self._round
            gone = since < self._oldest
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        if gone:  # as the real one: the stream begins well, and its first event is the error
            _chunk(handler, _line("ERROR", Refusal(410, "Expired", "too old resource version").status))
            _chunk(handler, b"")
            return
        self.streams += 1
        try:
            deadline = time.monotonic() + float(query.get("timeoutSeconds", "3600"))
            for line in self._lines(resource, query, since, seen_round, deadline, handler):
                self._send_slowly(handler, line)
            if self._round == seen_round:
                _chunk(handler, b"")
                return
            handler.wfile.write(b'400\r\n{"type":"ADD')  # a chunk that does not come to its end
            handler.close_connection = True
        finally:
            self.streams -= 1

    def _send_slowly(self, handler: BaseHTTPRequestHandler, line: bytes) -> None:
        parts = [line] if not self.slow else [line[at : at + 64] for at in range(0, len(line), 64)]
        for part in parts:
            _chunk(handler, part)
            time.sleep(self.slow)

    def _lines(
        self,
        resource: Resource,
        query: dict[str, str],
        since: int,
        seen_round: int,
        deadline: float,
        handler: BaseHTTPRequestHandler,
    ) -> Iterator[bytes]:
        while time.monotonic() < deadline:
            with self._changed:
                if self._round != seen_round or _has_left(handler):  # lines are for those who still listen
                    return
                new = [one for one in self._log if one[0] > since and one[1] == resource.path]
                broken, self.broken_lines = self.broken_lines, []
                if not new and not broken:
                    self._changed.wait(min(0.2, deadline - time.monotonic()))
                    continue
            yield from broken
            for version, _, kind, found in new:
                since = version
                if kind == "BOOKMARK" and query.get("allowWatchBookmarks") != "true":
                    continue
                if kind == "BOOKMARK" or _selected(found, query):
                    yield _line(kind, found)

    @staticmethod
    def _discovery(path: str) -> Object | None:
        """What kubectl asks before it asks for anything."""
        groups = sorted({one.version for one in RESOURCES if one.group})
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if path == "/apis":
            listed = [
                {
                    "name": one.rpartition("/")[0],
                    "versions": [{"groupVersion": one, "version": one.rpartition("/")[2]}],
                    "preferredVersion": {"groupVersion": one, "version": one.rpartition("/")[2]},
                }
                for one in groups
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        of_version = [one for one in RESOURCES if one.version == version]
        if not of_version:
            return None
        return {
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
            "resources": [
                {"name": one.name, "singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind,
                 "verbs": ["get", "list", "watch"]} for one in of_version
            ],
        }  # fmt: skip


def pod(name: str, namespace: str = "shop", **more: Any) -> Object:
    """Return a pod as the API has it, with what is said of it: ``uid``, ``ip``, ``node``, ``labels``, ``owner``, ..."""
    metadata: Object = {
        "name": name,
        "namespace": namespace,
        "uid": more.get("uid", f"uid-{namespace}-{name}"),
        "creationTimestamp": "2026-11-28T10:00:00Z",
        "labels": more.get("labels", {"app": name}),
        "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:metadata": {"x": "y" * 200}}}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "z" * 2000, "team": "web"},
    }
    if "owner" in more:
        kind, owner = more["owner"]
        metadata["ownerReferences"] = [
            {"kind": kind, "name": owner, "uid": "u", "controller": True, "apiVersion": "v1"}
        ]
    status: Object = {"phase": more.get("phase", "Running"), "startTime": "2026-11-28T10:00:01Z"}
    if more.get("ip"):
        status |= {"podIP": more["ip"], "podIPs": [{"ip": more["ip"]}]}
    spec: Object = {
        "nodeName": more.get("node", "node-1"),
        "serviceAccountName": more.get("account", "web"),
        "containers": [{"name": "c", "image": "nginx", "env": [{"name": "PASSWORD", "value": "secret"}]}],
    }
    if more.get("host_network"):
        spec["hostNetwork"] = True
    return {"metadata": metadata, "spec": spec, "status": status}


def _without_namespace(path: str) -> str:
    before, found, after = path.partition("/namespaces/")
    return f"{before}/{after.partition('/')[2]}" if found and "/" in after else path


def _selected(found: Object, query: dict[str, str]) -> bool:
    selector = query.get("fieldSelector", "")
    name, _, value = selector.partition("=")
    return not selector or (name == "spec.nodeName" and found.get("spec", {}).get("nodeName") == value)


def _line(kind: str, found: Object) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def _has_left(handler: BaseHTTPRequestHandler) -> bool:
    """Tell whether the client has closed its connection: while a stream lasts it sends nothing."""
    return bool(select.select([handler.connection], [], [], 0)[0])


def _chunk(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()


def _send(handler: BaseHTTPRequestHandler, code: int, document: Object, headers: dict[str, str] | None = None) -> None:
    data = json.dumps(document).encode()
    handler.send_response(code)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)
