"""What patterns of secrets remember of texts that they were asked for: RE2 keeps that as long as a pattern lives."""

from __future__ import annotations

import subprocess
import sys

_MOST_GROWTH = 8  # MB, of 2,000 texts of which no two have much in common
# In a process of its own, whose memory nothing else has used before.
_FEEDS = """
import random, string
from hullwatch.alerts.mask import Masker

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

chance = random.Random(7)
letters = string.ascii_letters + string.digits + "/-_.=:@ "
texts = ["".join(chance.choices(letters, k=300)) for _ in range(2000)]
masker = Masker()
before = resident()
for text in texts:
    masker.text(text)
print(resident() - before)
"""


def test_texts_that_an_attacker_makes_up_do_not_fill_the_memory_of_patterns_of_secrets() -> None:
    told = subprocess.run([sys.executable, "-c", _FEEDS], stdout=subprocess.PIPE, text=True, check=True)
    assert float(told.stdout) <= _MOST_GROWTH
