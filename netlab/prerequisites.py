"""What a scenario asks of this machine, looked at before anything is built: its filters and the programs that it requires.

It knows nothing of labs, and does not judge.
"""

import errno
import os
import shutil
from pathlib import Path

from netlab.errors import HostError, Problem, SpecError
from netlab.impair.filters import compiled
from netlab.scenario.spec import Scenario, all_rules


def check_prerequisites(scenario: Scenario) -> None:
    """Raises SpecError where a rule's filter is none, a step's too; HostError where libpcap, or what it requires, is not here."""
    for rule in all_rules(scenario):
        if rule.filter:
            try:
                compiled(rule.filter)
            except ValueError as error:
                raise SpecError(Problem(rule.place, str(error), "write it as for tcpdump, such as: tcp port 80")) from None
    for name in scenario.requires:
        if not (Path(name).exists() if "/" in name else shutil.which(name)):
            raise HostError(f"{name}: {os.strerror(errno.ENOENT)}", f"install what {scenario.place} requires")
