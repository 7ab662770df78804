"""The domain names that rules compare with, looked up while they are watched for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.rules.domain_names import names_of
from hullwatch.rules.loader import RuleSet
from hullwatch.sources.name_resolver import NameResolver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.config.settings import NamesSettings
    from hullwatch.rules.loader import Rule


class LookedUpNames(NameResolver):
    """Looks up the names of the rules in use, if that is wanted.

    Args:
        settings: whether it is, and how often.
        wake: called in a thread when an answer is another one than before.
    """

    def __init__(self, settings: NamesSettings, wake: Callable[[], None]) -> None:
        """Look up nothing yet."""
        super().__init__(settings.refresh, wake)
        self._wanted = settings.resolve

    def use_rules(self, rules: Sequence[Rule]) -> list[str]:
        """Look up the names of these rules from now on, and no others; return what there is to warn of."""
        left_out = self.use(names_of(RuleSet(list(rules)))) if self._wanted else 0
        too_many = f"Warning: {left_out} of the domain names in the rules are not looked up, for they are too many."
        return [too_many] if left_out else []
