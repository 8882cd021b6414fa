"""Calls that are made later, in a thread of their own, while the scenario goes on: which of them have begun by now, and returned.

It does not know what they are, nor who is told of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from netlab.workload.agents import AgentProcess, ProcessGone, Reply

Job = TypeVar("Job")

_RETURNS_WITHIN = 0.2
"""Seconds for which a call that has begun is waited for, so that what another call got from it is told after it."""


@dataclass(slots=True, kw_only=True)
class _Later(Generic[Job]):
    process: AgentProcess
    number: int
    job: Job
    told: bool = False


class PutOff(Generic[Job]):
    """The calls that have been put off and have not returned yet."""

    def __init__(self) -> None:
        self._later: list[_Later[Job]] = []

    def add(self, process: AgentProcess, number: int, job: Job) -> None:
        """Look after the call that has this number in this process."""
        self._later.append(_Later(process=process, number=number, job=job))

    def news(self) -> Iterator[tuple[Job, int, Reply | None]]:
        """Of each call that has begun or returned since it was asked for last: when it began, 0 if that was told before, and its
        reply, None while it is inside. Calls of a process that has ended are forgotten."""
        for one in tuple(self._later):
            try:
                if not one.told and not one.process.has_started(one.number):
                    continue
                reply = one.process.returned(one.number, _RETURNS_WITHIN if not one.told else 0)
                began = 0 if one.told else one.process.started(one.number)
            except ProcessGone:
                self._later.remove(one)
                continue
            if reply is not None:
                self._later.remove(one)
            if began or reply is not None:
                yield one.job, began, reply
            one.told = True
