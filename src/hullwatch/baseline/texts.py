"""The values that are learnt, as text that anybody may have made: short, valid, and the same for what is the same."""

from __future__ import annotations

import hashlib
import ipaddress
import re

LONGEST = 240  # characters of a value
NODES = "system:node:*"  # what nodes are called here: they come and go, and do the same
_NODE = "system:node:"
_BOOTSTRAP = "system:bootstrap:"
# What is made anew for each run or login: a session of a role in AWS that is named by a number, a machine or a hash.
_SESSION = re.compile(
    r"(arn:aws[a-z-]*:sts::[0-9]*:assumed-role/[^/]+)/(?=.*(?:[0-9]{8}|\bi-[0-9a-f]{8}|[0-9a-f]{16}))"
)
# A version or a made-up ending in the name of a program: kubectl1.32, operator-v2, __debug_bin1234567, run_7f3a9c21d0.
_VERSION = re.compile(r"(?:[-_. ]?v?[0-9]+(?:[._][0-9]+)+|[-_ ]v?[0-9]+|[0-9]{4,}|[-_](?=[a-f]*[0-9])[0-9a-f]{8,64})$")


def short(text: str) -> str:
    """Return a text that can be kept; of a longer one its beginning and a fingerprint."""
    valid = text.encode("utf-8", "replace").decode()
    if len(valid) <= LONGEST:
        return valid
    return f"{valid[: LONGEST - 13]}…{hashlib.sha256(valid.encode()).hexdigest()[:12]}"


def user_of(name: str) -> str:
    """Return what a user is known by; all nodes are one, all tokens by which they join, and sessions of a role."""
    if name.startswith("system:"):
        return NODES if name.startswith(_NODE) else f"{_BOOTSTRAP}*" if name.startswith(_BOOTSTRAP) else short(name)
    session = _SESSION.match(name[: 2 * LONGEST]) if name.startswith("arn:") else None
    return short(f"{session[1]}/*") if session is not None else short(name)


def is_person(name: str) -> bool:
    """Tell whether a user's name is none of those that Kubernetes gives to its parts."""
    return bool(name) and (not name.startswith("system:") or name == "system:admin")


def program_of(agent: str) -> str:
    """Return the program that calls itself so, without its version: ``kubectl`` of ``kubectl/v1.32.4 (linux)``."""
    words = agent.split("/", 1)[0].split("(", 1)[0].split()
    if not words:
        return "(none)"
    name = " ".join(words[:3])[: 2 * LONGEST].removesuffix(".exe")
    return short(_VERSION.sub("", name) or name)


def network_of(address: str) -> str:
    """Return the network of an address, /24 or /48; empty for what is no address."""
    try:
        found = ipaddress.ip_address(address[:64])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(found) >> 80 << 80, 48)))
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((int(found) >> 8 << 8, 24)))


def is_controller(name: str) -> bool:
    """Tell whether a user is a part of the cluster itself, or one of its controllers, which write for others."""
    if name.startswith("system:serviceaccount:"):
        return name.startswith("system:serviceaccount:kube-system:") and name.endswith("-controller")
    return name.startswith("system:") and not is_person(name) and name != "system:anonymous"
