import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.alerts import mask
from hullwatch.alerts.mask import LONGEST_TEXT, Masker
from hullwatch.errors import CannotError, UsageError

MASKER = Masker()

MASKED = {
    "mysql --password=hunter2 -h db": "mysql --password=*** -h db",
    "mysql -uroot -phunter2 shop": "mysql -uroot -p*** shop",
    "sh -c mysql -uroot -phunter2 shop": "sh -c mysql -uroot -p*** shop",
    "curl -u bob:hunter2 https://x/": "curl -u bob:*** https://x/",
    "curl --user bob:hunter2 https://x/": "curl --user bob:*** https://x/",
    "sshpass -p hunter2 ssh host": "sshpass -p *** ssh host",
    "redis-cli -a hunter2 ping": "redis-cli -a *** ping",
    "docker login -u bob -p hunter2 r.example": "docker login -u bob -p *** r.example",
    "openssl rsa -passin pass:hunter2": "openssl rsa -passin pass:***",
    "ldapsearch -x -w hunter2 -b dc=x": "ldapsearch -x -w *** -b dc=x",
    "app --token hunter2 --verbose": "app --token *** --verbose",
    "app --db-password 'hunter 2' -v": "app --db-password *** -v",
    "app --api-key=hunter2": "app --api-key=***",
    "java -Dspring.datasource.password=hunter2 -jar a.jar": "java -Dspring.datasource.password=*** -jar a.jar",
    "PASSWORD=hunter2&x DB_PASS=hunter3 env": "PASSWORD=*** DB_PASS=*** env",
    "env MYSQL_ROOT_PASSWORD=hunter2 mysqld": "env MYSQL_ROOT_PASSWORD=*** mysqld",
    "SECRET_KEY_BASE=hunter2": "SECRET_KEY_BASE=***",
    "aws_secret_access_key = hunter2": "aws_secret_access_key = ***",
    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE": "AWS_ACCESS_KEY_ID=***",
    "aws s3 ls AKIAIOSFODNN7EXAMPLE": "aws s3 ls ***",
    "curl -H Authorization: Bearer abcdefgh123 https://x": "curl -H Authorization: Bearer *** https://x",
    "curl -H 'X-Api-Key: hunter2' https://x": "curl -H 'X-Api-Key: ***' https://x",
    "wget https://x/?token=hunter2&page=2": "wget https://x/?token=***&page=2",
    "psql postgres://bob:hu@nter2@db:5432/x": "psql postgres://bob:***@db:5432/x",
    "redis://:hunter2@cache/0": "redis://:***@cache/0",
    "git clone https://ghp_0123456789abcdefghijABCDEFGHIJ@github.com/x": "git clone https://***@github.com/x",
    "notify xoxb-123456789012-abcdefghijkl": "notify ***",
    "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-def": "jwt ***",
    '{"password": "hunter 2", "user": "bob"}': '{"password": "***", "user": "bob"}',
    "echo -----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- done": (
        "echo -----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY----- done"
    ),
    "Bash ran (user=root command=mysql -phunter2 name=web)": "Bash ran (user=root command=mysql -p*** name=web)",
}

LEFT_ALONE = [
    "",
    "ls -la /etc/shadow",
    "mkdir -p /tmp/x",
    "docker run -p 8080:80 -u 1000:1000 nginx",
    "curl https://example.com/a:b?x=1",
    "npm install http://localhost:8080/@scope/pkg",
    "app --password-file /run/secrets/x --token --verbose",
    "DB_PASSWORD_FILE=/run/secrets/x PWD=/home OLDPWD=/ max_tokens=100 token_type=bearer",
    "MYTOKENIZER=x bypass=1 compass=2",
    "cat /var/run/secrets/kubernetes.io/serviceaccount/token",
    "ssh -p 22 host",
    "passwd bob",
]


@pytest.mark.parametrize(("text", "masked"), MASKED.items())
def test_a_secret_is_hidden_and_what_stands_around_it_stays(text: str, masked: str) -> None:
    assert MASKER.text(text) == masked


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_is_no_secret_stays(text: str) -> None:
    assert MASKER.text(text) == text


@pytest.mark.parametrize("text", MASKED)
def test_a_masked_text_is_not_changed_again(text: str) -> None:
    once = MASKER.text(text)
    assert MASKER.text(once) == once


@pytest.mark.parametrize("text", [*MASKED, *LEFT_ALONE])
def test_without_google_re2_the_built_in_patterns_do_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask.importlib, "import_module", _no_module)
    assert Masker().text(text) == MASKER.text(text)


def test_without_google_re2_patterns_of_the_user_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask.importlib, "import_module", _no_module)
    with pytest.raises(CannotError, match="pip install google-re2"):
        Masker(["(a+)+$"])


def _no_module(name: str) -> None:
    raise ImportError(name)


def test_the_options_of_a_program_are_hidden_in_its_arguments_alone() -> None:
    assert MASKER.text("-uroot -phunter2 shop", "mysql") == "-uroot -p*** shop"
    assert MASKER.text("-uroot -phunter2 shop", "tar") == "-uroot -phunter2 shop"


def test_in_a_list_the_value_behind_an_option_is_hidden() -> None:
    value = ["mysql", "--password", "hunter2", "--verbose", "--host", "db", 3, None]
    assert MASKER.value(value) == ["mysql", "--password", "***", "--verbose", "--host", "db", 3, None]


@pytest.mark.parametrize("value", [1, None, True, 1.5])
def test_a_value_that_is_no_text_stays(value: object) -> None:
    assert MASKER.value(value) is value


def test_bytes_become_text_that_is_masked() -> None:
    assert MASKER.value(b"--token=\xff") == "--token=***"


def test_text_that_is_no_unicode_becomes_valid() -> None:
    assert MASKER.text("a\udcff --token=x") == "a\ufffd --token=***"


def test_patterns_of_the_user_are_added() -> None:
    masker = Masker([r"acme-[0-9]+", r"pin (?P<secret>[0-9]{4})"])
    assert masker.text("acme-123 pin 1234 --token=x") == "*** pin *** --token=***"


def test_patterns_of_the_user_can_replace_the_built_in_ones() -> None:
    masker = Masker([r"acme-[0-9]+"], builtin=False)
    assert masker.text("acme-123 --token=x mysql -px") == "*** --token=x mysql -px"


def test_without_any_pattern_nothing_is_hidden() -> None:
    assert Masker(builtin=False).text("--token=x") == "--token=x"


@pytest.mark.parametrize("pattern", ["(", r"(?=a)", r"(a)\1", "a{2000}", "x" * 5000])
def test_a_pattern_that_cannot_be_used_is_named(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="Pattern 2 of secrets"):
        Masker(["fine", pattern])
    assert capfd.readouterr().err == ""


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 256"):
        Masker(["a"] * 257)


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    masked = MASKER.text("a" * (LONGEST_TEXT + 1) + " --token=x")
    assert masked == "a" * LONGEST_TEXT + "...(cut)"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 65_000,
        "--password " * 6_000,
        "a.password_" * 6_000,
        "x://" * 16_000,
        "eyJ" + "a" * 60_000,
        "mysql " * 10_000,
        "-----BEGIN PRIVATE KEY-----" * 2_000,
        "authorization: " * 4_000,
        "login " * 10_000,
    ],
)
def test_hostile_text_takes_bounded_time(text: str) -> None:
    # In CPU time, for the machine may be busy; a pattern that backtracks takes minutes here.
    begin = time.process_time()
    MASKER.text(text, "docker")
    assert time.process_time() - begin < 2.0


@given(st.text(max_size=300), st.sampled_from(["", "mysql", "curl", "docker"]))
def test_any_text_is_masked_to_valid_text(text: str, program: str) -> None:
    assert mask.valid_text(MASKER.text(text, program)) == MASKER.text(text, program)


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=40))
def test_whatever_the_password_is_it_does_not_come_through(secret: str) -> None:
    line = f"app --password={secret} PASSWORD={secret} https://u:{secret}@h/ --token {secret}"
    assert secret not in MASKER.text(line).replace("***", "")


def one_by_one(masker: Masker, message: str, fields: dict[str, object], program: str) -> tuple[str, dict[str, object]]:
    """Mask an alert in the simple way."""
    return masker.text(message, program), {name: masker.value(value, program) for name, value in fields.items()}


OWN = Masker([r"^own(?P<secret>[0-9]+)$", r"\bmine\b"])
ANCHORED = [Masker([pattern]) for pattern in (r"\Aown(?P<secret>[0-9]+)\z", r"(?-m:^own(?P<secret>[0-9]+)$)")]
ODD = [
    "own1",
    "mine",
    "_pass=x",
    "=x",
    "--token",
    "-p",
    "hunter2",
    "\n",
    " ",
    "curl",
    "mysql ",
    "é",
    "\udcff",
    "x" * 5000,
]
PIECES = st.sampled_from([*MASKED, *LEFT_ALONE, *ODD])
LINES = st.lists(PIECES, max_size=3).map("".join)
VALUES = st.dictionaries(
    st.sampled_from("abcd"),
    LINES | st.none() | st.booleans() | st.integers() | LINES.map(lambda text: text.encode("utf-8", "surrogateescape"))
    | st.lists(LINES, max_size=3) | st.tuples(st.just("--token"), LINES),
)  # fmt: skip


@given(st.sampled_from([MASKER, OWN, *ANCHORED]), LINES, VALUES, st.sampled_from(["", "nginx", "mysql", "curl"]))
def test_an_alert_is_masked_as_its_texts_are_one_by_one(
    masker: Masker, message: str, fields: dict[str, object], program: str
) -> None:
    assert masker.alert(message, dict(fields), program) == one_by_one(masker, message, fields, program)


@pytest.mark.parametrize("text", MASKED)
@pytest.mark.parametrize("number", range(3))
def test_a_secret_is_found_in_each_text_of_an_alert_that_has_none_else(text: str, number: int) -> None:
    texts = ["ls -la", "ls -la", "ls -la"]
    texts[number] = text
    message, fields = MASKER.alert(texts[0], {"a": texts[1], "b": None, "c": texts[2]})
    assert [message, fields["a"], fields["c"]] == [MASKER.text(one) for one in texts]
    assert fields["b"] is None


def test_the_options_of_the_process_are_hidden_in_an_alert_that_has_no_other_secret() -> None:
    assert MASKER.alert("args", {"a": "-phunter2"}, "mysql") == ("args", {"a": "-p***"})


def test_a_text_of_an_alert_that_is_too_long_is_cut() -> None:
    text = "x" * (LONGEST_TEXT + 1)
    assert MASKER.alert("m", {"a": text}) == ("m", {"a": MASKER.text(text)})


@pytest.mark.parametrize("masker", [OWN, *ANCHORED])
def test_a_pattern_of_the_user_for_a_whole_text_holds_for_each_text_of_an_alert(masker: Masker) -> None:
    assert masker.alert("own5", {"a": "own1", "b": "x own1"}) == ("own***", {"a": "own***", "b": "x own1"})


def test_without_google_re2_alerts_are_masked_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask.importlib, "import_module", _no_module)
    assert Masker().alert("app --token=x", {"a": "app --token=y"}) == ("app --token=***", {"a": "app --token=***"})


def test_the_value_of_a_variable_is_masked_by_the_variable_s_name() -> None:
    fields: dict[str, object] = {"proc.env[DB_PASSWORD]": "hunter 2", "proc.aenv[HOME]": "/root"}
    fields |= {"proc.aenv[2]": "A=1", "proc.env[A]": ""}
    assert MASKER.lines("", fields) is not None
    assert not MASKER.has_no_secret(MASKER.lines("", fields) or "")
    message, masked = MASKER.alert("it has hunter 2 in /root", fields)
    assert message == "it has *** in /root"
    assert masked == fields | {"proc.env[DB_PASSWORD]": "***"}
    assert MASKER.alert("x", {"proc.env": "A=1 DB_PASSWORD=hunter2"})[1] == {"proc.env": "A=1 DB_PASSWORD=***"}
