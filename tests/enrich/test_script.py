"""Which file an interpreter was started to run, from its arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.script import script_of

WORDS = st.sampled_from(["-", "--", "-c", "-ec", "-O", "+o", "", "x", "./x.sh", "-W", "--rcfile", "sh", "busybox"])


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("/bin/dash: sh x.sh", "x.sh"),
        ("/bin/bash: -bash", ""),
        ("/bin/bash: bash -e -x /opt/x.sh -c y", "/opt/x.sh"),
        ("/bin/bash: bash +x -- -odd.sh", "-odd.sh"),
        ("/bin/bash: bash -o pipefail x.sh", "x.sh"),
        ("/bin/bash: bash -eo pipefail x.sh", "x.sh"),
        ("/bin/bash: bash --norc --rcfile /etc/rc x.sh", "x.sh"),
        ("/bin/bash: bash -c x.sh", ""),
        ("/bin/bash: bash -lc x.sh", ""),
        ("/bin/bash: bash -s x", ""),
        ("/bin/bash: bash -", ""),
        ("/bin/busybox: sh x.sh", "x.sh"),
        ("/bin/busybox: busybox sh x.sh", "x.sh"),
        ("/bin/busybox: busybox ls x.sh", ""),
        ("/bin/busybox: ls x.sh", ""),
        ("/usr/bin/python3.11: python3 x.py", "x.py"),
        ("/usr/bin/python3: python3 -u -W ignore x.py -m y", "x.py"),
        ("/usr/bin/python3: python3 -m http.server", ""),
        ("/usr/bin/python3: python3 -Bc x", ""),
        ("/usr/bin/perl: perl -w x.pl", "x.pl"),
        ("/usr/bin/perl5.36-x86_64-linux-gnu: perl x.pl", ""),
        ("/usr/bin/perl5.36: perl x.pl", "x.pl"),
        ("/usr/bin/perl: perl -ne print x", ""),
        ("/usr/bin/perl: perl -MData::Dumper -I lib x.pl", "x.pl"),
        ("/usr/bin/ruby: ruby -ropen-uri -Ilib x.rb", "x.rb"),
        ("/usr/local/bin/node: node --require a.js server.js", "server.js"),
        ("/usr/local/bin/node: node --eval x y", ""),
        ("/usr/bin/php8.2: php -d a=b x.php", "x.php"),
        ("/usr/bin/php: php -f x.php", "x.php"),
        ("/usr/bin/ruby3.1: ruby -I lib x.rb", "x.rb"),
        ("/usr/bin/nginx: nginx x.sh", ""),
        ("/bin/sh:", ""),
    ],
)
def test_the_script_is_the_first_argument_that_is_no_option(command: str, script: str) -> None:
    exepath, _, words = command.partition(":")
    exe, *args = words.split() or [""]
    assert script_of(exepath, exe, args, exepath) == script


@pytest.mark.parametrize(
    ("exepath", "args", "filename", "script"),
    [
        ("/bin/dash", ["./run.sh", "a"], "./run.sh", "./run.sh"),
        ("/bin/dash", ["-e", "/opt/run.sh", "a"], "/opt/run.sh", "/opt/run.sh"),
        ("/opt/strange", ["/opt/run"], "/opt/run", "/opt/run"),
        ("/usr/bin/env", ["python3", "/opt/run"], "/opt/run", ""),
        ("/usr/bin/cat", ["/usr/bin/cat"], "/usr/bin/cat", ""),
        ("/usr/bin/cat", ["x"], "/bin/cat", ""),
    ],
)
def test_a_script_that_was_started_as_a_program_has_the_name_that_was_asked_for(
    exepath: str, args: list[str], filename: str, script: str
) -> None:
    assert script_of(exepath, exepath, args, filename) == script


@given(st.sampled_from(["/bin/bash", "/bin/busybox", "/usr/bin/python3", ""]), st.lists(WORDS, max_size=6))
def test_any_arguments_have_a_script_among_them_or_none(exepath: str, words: list[str]) -> None:
    exe, *args = words or [""]
    assert script_of(exepath, exe, args, "./x.sh") in {"", *args}
