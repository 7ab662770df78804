"""The settings tree: what can be set, its type, default and meaning."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from hullwatch.config.container_log_settings import ContainerLogSettings
from hullwatch.config.events_settings import EventsSettings
from hullwatch.config.incident_settings import IncidentsSettings
from hullwatch.config.kubernetes_settings import KubernetesSettings
from hullwatch.config.response import MOST_ACTIONS, ResponseAction
from hullwatch.config.rule_switch import MOST_SWITCHES, RuleSwitch
from hullwatch.config.service_settings import LIVE, ApiSettings, EscalationSettings, LogSettings, MetricsSettings
from hullwatch.config.values import format_duration

MOST_ENGINES = 16
NO_PRIORITY = "none"
OUTPUTS = "outputs"  # the section whose values are named by their types
MOST_VARIABLES = 16
VARIABLE_NAME = r"^[!-<>-~]{1,63}$"
ENGINE_URL = r"^((unix|containerd|cri|podman):///|(tcp|https?)://)."

# A description on each value is what `hullwatch config show` and the schema say about it.
Duration = Annotated[float, msgspec.Meta(gt=0, extra_json_schema={"format": "duration"})]


def _help(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


def _form(sentence: str, *, secret: bool = False, **limits: Any) -> msgspec.Meta:
    """Limit a text; the sentence is what people are told instead of the limits; ``secret``: it may have a password."""
    return msgspec.Meta(extra={"form": sentence, "secret": secret}, **limits)


class RulesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules judge."""

    files: Annotated[
        tuple[str, ...],
        LIVE,
        _help("Rules files, or directories whose *.yaml are taken in order; empty: the built-in rules."),
    ] = ()
    priority: Annotated[str, LIVE, _help("The least severe priority that alerts.")] = "Debug"
    match: Annotated[
        Literal["first", "all"], _help("Alert on the first rule that matches an event, or on all that do.")
    ] = "first"
    selection: Annotated[
        tuple[RuleSwitch, ...],
        msgspec.Meta(max_length=MOST_SWITCHES),
        LIVE,
        _help('Turns rules on and off, in order: {disable = {rule = "*"}}, {enable = {tag = "network"}}.'),
    ] = ()


class OutputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How alerts are printed."""

    format: Annotated[
        Literal["text", "json", "falco", "ocsf", "ecs", "cef", "leef", "cloudevents", "otlp", "sarif"],
        _help("text for people, json for one object a line; others for what reads them: see hullwatch formats list."),
    ] = "text"
    all: Annotated[bool, _help("On a terminal, show every repeat of an alert instead of a count.")] = False
    labels: Annotated[dict[str, str], LIVE, _help("Labels that every alert carries.")] = {}
    cluster: Annotated[
        str, LIVE, _help("The cluster that this host belongs to: the label cluster of every alert; empty: none.")
    ] = ""
    node: Annotated[
        str,
        LIVE,
        _help(
            "What this host is called there: the label node of every alert; empty: NODE_NAME of the environment, else "
            "the host's name where a cluster is named, else none."
        ),
    ] = ""


class MaskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which secrets are hidden."""

    patterns: Annotated[
        tuple[str, ...],
        _help("More regular expressions (RE2) of secrets; a group named secret limits what is hidden."),
    ] = ()
    builtin: Annotated[bool, _help("Use the built-in patterns too; false: only the ones above.")] = True


class DockerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The container engine."""

    host: Annotated[str, _help("URL of the engine's API; empty: DOCKER_HOST or the usual sockets.")] = ""


class ContainersSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The container engines beside Docker's."""

    engines: Annotated[
        tuple[
            Annotated[
                str,
                _form(
                    "an engine is a URL: containerd:///PATH, cri:///PATH or unix:///PATH with the path of its socket, "
                    "podman:///PATH with the directory of its storage, or tcp://HOST:PORT, http://HOST:PORT or "
                    "https://HOST:PORT",
                    pattern=ENGINE_URL,
                    max_length=1024,
                ),
            ],
            ...,
        ],
        msgspec.Meta(max_length=MOST_ENGINES),
        _help(
            "More engines: containerd:///PATH, cri:///PATH (CRI-O and other runtimes of a kubelet), unix:///PATH "
            "(what speaks Docker's API), podman:///PATH (the storage of root's podman, without its service)."
        ),
    ] = ()
    search: Annotated[
        bool, _help("Look for the sockets of containerd, CRI-O, Podman and rootless engines at the usual places.")
    ] = True


class ProcessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of processes."""

    environment: Annotated[
        tuple[
            Annotated[
                str,
                _form(
                    "a name of a variable is 1 to 63 characters of ASCII, without blanks and =", pattern=VARIABLE_NAME
                ),
            ],
            ...,
        ],
        msgspec.Meta(max_length=MOST_VARIABLES),
        _help(
            "Names of variables of the environment: those that proc.env and proc.aenv show, beside the ones that rules "
            "name in brackets, as proc.env[HOME] does. Nothing is read while no rule uses these fields."
        ),
    ] = ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH")


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The process that judges."""

    user: Annotated[str, _help("The user it runs as; empty: hullwatch if that user exists, else nobody.")] = ""
    sensor: Annotated[str, _help("The sensor program; empty: the installed one.")] = ""


class SensorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sensor sends."""

    pushdown: Annotated[
        bool,
        _help("Leave out in the kernel what rules cannot match; false: send every call of the types they ask for."),
    ] = True
    cpu_budget: Annotated[
        float,
        msgspec.Meta(ge=0, le=1024),
        LIVE,
        _help("Cores that sensor and engine may use before calls are left out, the least telling first; 0: no limit."),
    ] = 1.0
    counts: Annotated[
        bool, _help("Count in the kernel what each process does, and name the busiest when the run ends.")
    ] = False


class DriftSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files that a container runs and that may not be of its image."""

    enabled: Annotated[
        bool, _help("Compare them with the image, for rules that ask for drift; false: no such rule ever matches.")
    ] = True
    largest_file: Annotated[
        int,
        msgspec.Meta(ge=0, le=1 << 40),
        _help("Bytes of a file that is read to be compared; of larger ones only the size is looked at."),
    ] = 256 << 20
    timeout: Annotated[Duration, _help("How long one file may take; then its verdict is unknown.")] = 20.0


class NamesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The domain names of addresses (fd.sip.name)."""

    resolve: Annotated[
        bool, _help("Look up the names that rules compare with; false: only answers that processes got are known.")
    ] = True
    refresh: Annotated[Duration, _help("How often they are looked up again.")] = 60.0


class HoldSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Waiting for the metadata of a container."""

    timeout: Annotated[Duration, LIVE, _help("How long a container's events wait for its metadata.")] = 0.5
    events: Annotated[int, msgspec.Meta(ge=0, le=10_000_000), _help("How many events may wait; 0: none.")] = 50_000


class DirectorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Hullwatch keeps things."""

    state: Annotated[str, _help("What lasts; the default is /var/lib/hullwatch, or XDG_STATE_HOME/hullwatch.")] = ""
    cache: Annotated[
        str, _help("What can be made again; the default is /var/cache/hullwatch, or XDG_CACHE_HOME/hullwatch.")
    ] = ""
    run: Annotated[str, _help("Sockets and locks; the default is /run/hullwatch, or XDG_RUNTIME_DIR/hullwatch.")] = ""


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a run ends, and how."""

    duration: Annotated[Duration | None, _help("End after this time; unset: run until Ctrl-C.")] = None
    fail_on: Annotated[str | None, _help("End with exit code 1 if there was an alert at least this severe.")] = None
    sources: Annotated[
        tuple[Literal["syscall", "k8s_audit", "container_log"], ...],
        _help("What is watched: syscall (this host), k8s_audit, container_log; empty: this host, and what is set."),
    ] = ()


class RecordSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Recording what the sensor sees."""

    file: Annotated[str, _help("Write a capture to this file, of every event; empty: none.")] = ""
    filter: Annotated[
        str, _help("Record only events that this condition holds for, and what changes processes and containers.")
    ] = ""
    rotate_size: Annotated[int, msgspec.Meta(ge=0), _help("Begin another file after this many bytes; 0: never.")] = 0
    rotate_files: Annotated[
        int, msgspec.Meta(ge=1, le=100_000), _help("How many files are kept when others are begun.")
    ] = 10
    mask: Annotated[
        bool, _help("Hide secrets in arguments and variables, as in alerts, before a capture is written.")
    ] = True


class FlightRecorderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last minutes of each container, saved when an alert asks for it."""

    enabled: Annotated[bool, _help("Keep the last minutes while rules are loaded that may ask for them.")] = True
    priority: Annotated[
        str,
        _help(
            "Save a capture for alerts at least this severe, beside those of rules with 'capture: true'; none: for "
            "these alone."
        ),
    ] = "Critical"
    before: Annotated[Duration, _help("How much of the time before an alert is kept.")] = 300.0
    memory: Annotated[
        int,
        msgspec.Meta(ge=1 << 20, le=1 << 40),
        _help("Bytes that it may take; when they are full, the oldest of the container that has most goes."),
    ] = 16 << 20
    after: Annotated[
        Duration, _help("How long a capture goes on after the last alert, unless the rule says it (capture_duration).")
    ] = 60.0
    longest: Annotated[Duration, _help("How long it goes on at most after its first alert.")] = 600.0
    events: Annotated[
        Literal["rules", "changes"],
        _help(
            "What is kept: rules: what rules may look at; changes: also all connections and changes of files, which "
            "the kernel leaves out else."
        ),
    ] = "rules"
    directory: Annotated[
        str, _help("Where captures are written to; empty: captures in the directory of what lasts.")
    ] = ""
    files: Annotated[
        int,
        msgspec.Meta(ge=1, le=100_000),
        _help("How many captures are kept; when more come, the oldest of the container that has most goes."),
    ] = 100
    size: Annotated[int, msgspec.Meta(ge=1 << 20), _help("Bytes that all of them may take together.")] = 1 << 30
    file_size: Annotated[int, msgspec.Meta(ge=1 << 16), _help("Bytes that one of them may take.")] = 128 << 20


class RespondSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about alerts."""

    enabled: Annotated[bool, LIVE, _help("Do what respond.actions says; false: nothing is ever touched.")] = False
    dry_run: Annotated[bool, LIVE, _help("Only say what would be done.")] = True
    most_per_minute: Annotated[
        int, msgspec.Meta(ge=1, le=1000), LIVE, _help("More responses than this are refused.")
    ] = 5
    protected: Annotated[
        tuple[str, ...],
        msgspec.Meta(max_length=1000),
        LIVE,
        _help(
            "Names of processes, containers and images that are never touched, in which * stands for any characters."
        ),
    ] = ("hullwatch*", "systemd*", "containerd*", "dockerd", "kubelet", "conmon*", "sshd", "k8s_*_kube-system_*")
    actions: Annotated[
        tuple[ResponseAction, ...],
        msgspec.Meta(max_length=MOST_ACTIONS),
        LIVE,
        _help(
            'What is done: {do = "kill", rule = "Reverse shell*", priority = "Critical"}; do is one of kill, pause, '
            "stop, disconnect, label, capture."
        ),
    ] = ()


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where alerts are kept, and for how long."""

    enabled: Annotated[
        bool, _help("Keep alerts, group them into issues and incidents; false: they are only printed.")
    ] = True
    url: Annotated[
        str,
        _form(
            "a store elsewhere is a URL: postgresql://USER@HOST/DATABASE; empty is a file in the directory of what "
            "lasts",
            secret=True,
            pattern=r"^(postgres(ql)?://.+)?$",
            max_length=1024,
        ),
        _help(
            "A PostgreSQL database, postgresql://USER@HOST/DATABASE, its password in the file that PGPASSFILE names; "
            "empty: store.db in the directory of what lasts."
        ),
    ] = ""
    keep: Annotated[Duration, LIVE, _help("How long an alert is kept.")] = 30 * 86_400.0
    largest: Annotated[
        int,
        msgspec.Meta(ge=16 << 20, le=1 << 44),
        LIVE,
        _help("Bytes that the store may take; when they are full, the least severe alerts go first, the oldest first."),
    ] = 1 << 30


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; ``hullwatch config show`` prints them with where each came from."""

    rules: RulesSettings = RulesSettings()
    output: OutputSettings = OutputSettings()
    mask: MaskSettings = MaskSettings()
    docker: DockerSettings = DockerSettings()
    containers: ContainersSettings = ContainersSettings()
    process: ProcessSettings = ProcessSettings()
    engine: EngineSettings = EngineSettings()
    sensor: SensorSettings = SensorSettings()
    drift: DriftSettings = DriftSettings()
    names: NamesSettings = NamesSettings()
    hold: HoldSettings = HoldSettings()
    directories: DirectorySettings = DirectorySettings()
    run: RunSettings = RunSettings()
    record: RecordSettings = RecordSettings()
    flight_recorder: FlightRecorderSettings = FlightRecorderSettings()
    escalation: EscalationSettings = EscalationSettings()
    respond: RespondSettings = RespondSettings()
    incidents: IncidentsSettings = IncidentsSettings()
    store: StoreSettings = StoreSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    container_logs: ContainerLogSettings = ContainerLogSettings()
    events: EventsSettings = EventsSettings()
    metrics: MetricsSettings = MetricsSettings()
    api: ApiSettings = ApiSettings()
    log: LogSettings = LogSettings()
    outputs: Annotated[
        dict[str, dict[str, Any]],
        _help("[outputs.NAME] with a type: where alerts are delivered to; docs/reference/outputs.md has the types."),
    ] = {}


class Leaf(msgspec.Struct, frozen=True):
    """One value of the tree: its dotted path, type, default and help, and what else its type's notes say.

    Attributes:
        default: msgspec.NODEFAULT for a value that must be given.
        duration: whether it is written as text with a unit.
        form: what form a text has, as a sentence.
        examples: values of it.
        marks: what else the notes say: ``priority``, ``path``, ``secret`` (of the options of outputs), ``live``.
    """

    path: str
    type: Any
    default: Any
    help: str
    duration: bool = False
    form: str = ""
    examples: tuple[Any, ...] = ()
    marks: dict[str, Any] = {}

    @property
    def live(self) -> bool:
        """Whether a reload takes it."""
        return "live" in self.marks

    @property
    def secret(self) -> bool:
        """Whether it may have a password in it."""
        return bool(self.marks.get("secret"))

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "HULLWATCH_" + self.path.replace(".", "_").upper()

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values that are possible, where they are few; else empty."""
        inner = getattr(self.type, "__origin__", None)
        return get_args(inner) if get_origin(inner) is Literal else ()


def leaves() -> dict[str, Leaf]:
    """Return every value of the tree by its dotted path, in the order of the tree; without those of outputs."""
    found: dict[str, Leaf] = {}
    for section, kind in sections().items():
        found.update((leaf.path, leaf) for leaf in leaves_of(kind, section).values())
    return found


def sections() -> dict[str, type[msgspec.Struct]]:
    """Return the sections by their dotted paths, those inside others too; without the outputs."""
    found: dict[str, type[msgspec.Struct]] = {}
    waiting = [(field.name, field.type) for field in msgspec.structs.fields(Settings) if field.name != OUTPUTS]
    for path, kind in waiting:
        found[path] = kind
        waiting += [(f"{path}.{one.name}", one.type) for one in msgspec.structs.fields(kind) if is_section(one.type)]
    return found


def is_section(kind: Any) -> bool:
    """Tell whether a type is that of a section, and not of a value."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def value_of(settings: Any, path: str) -> Any:
    """Return a value of the tree, or a section, by its dotted path."""
    return functools.reduce(getattr, path.split("."), settings)


def leaves_of(group: type[msgspec.Struct], path: str) -> dict[str, Leaf]:
    """Return the values of one struct by their names; their dotted paths begin with ``path``."""
    found: dict[str, Leaf] = {}
    for value in msgspec.structs.fields(group):
        if is_section(value.type):
            continue
        meta = _metadata(value.type)
        marks = {name: mark for item in reversed(meta) for name, mark in (item.extra or {}).items()}  # outer ones win
        made = value.default_factory
        found[value.name] = Leaf(
            path=f"{path}.{value.name}",
            type=value.type,
            default=value.default if made is msgspec.NODEFAULT else made(),
            help=next((item.description for item in meta if item.description), ""),
            form=marks.pop("form", ""),
            duration=any((item.extra_json_schema or {}).get("format") == "duration" for item in meta),
            examples=tuple(example for item in meta for example in item.examples or ()),
            marks=marks,
        )
    return found


def _metadata(kind: Any) -> list[msgspec.Meta]:
    """Collect the Meta notes of a type expression, also those inside unions."""
    notes = [item for item in getattr(kind, "__metadata__", ()) if isinstance(item, msgspec.Meta)]
    for part in (getattr(kind, "__origin__", None), *getattr(kind, "__args__", ())):
        if part is not None:
            notes += _metadata(part)
    return notes


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file; durations are text there (``500ms``)."""
    found = with_text_durations(msgspec.json.schema(Settings))
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "The configuration of Hullwatch"}
    return about | found


def with_text_durations(node: Any) -> Any:
    """Return a schema in which what is a number of seconds inside is a text with a unit, as people write it."""
    if isinstance(node, dict):
        items: dict[str, Any] = {key: with_text_durations(value) for key, value in node.items()}  # pyright: ignore[reportUnknownVariableType]
        if items.get("format") == "duration":
            items["type"] = "string"
            items.pop("exclusiveMinimum", None)
            items.pop("format")
            items["pattern"] = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
            if isinstance(items.get("default"), float):
                items["default"] = format_duration(items["default"])
        if isinstance(items.get("default"), dict) and "$ref" in items:
            del items["default"]  # the section's own values say it, and in the form that a file has
        return items
    if isinstance(node, list):
        return [with_text_durations(item) for item in node]  # pyright: ignore[reportUnknownVariableType]
    return node
