"""Whose fault an error is: yours (SpecError), this machine's (HostError) or ours (LabError).

Every error that netlab raises on purpose is one of these three; anything else that escapes is a bug of ours. This module knows
nothing of files or kernels: it carries what others found out.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a file: 1-based line and column, as editors count them; 0 for what stands in no file."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def seen_from(self, here: "Place") -> str:
        """How an error at ``here`` refers to this place: "line 7" in the same file, "base.yaml:7" in another one."""
        return f"line {self.line}" if self.file == here.file else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what a user wrote, where it stands, and how to mend it (empty when nobody can guess)."""

    place: Place
    message: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"; {self.fix}" if self.fix else "")


class NetlabError(Exception):
    """The root of every error that netlab raises on purpose."""


class SpecError(NetlabError):
    """What the user wrote is wrong. Holds every problem found in one pass, in file order; exit status 2."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class HostError(NetlabError):
    """This machine lacks something. ``lacks`` says what, ``fix`` the command or setting that supplies it; exit status 4."""

    def __init__(self, lacks: str, fix: str = "") -> None:
        self.lacks, self.fix = lacks, fix
        super().__init__(lacks + (f"\n  fix: {fix}" if fix else ""))


class StepError(NetlabError):
    """A step cannot be carried out as it is written, which only running it could show; the run adds its place (SpecError)."""


class LabError(NetlabError):
    """netlab itself failed: a kernel answered what we did not foresee, or one of our processes died; exit status 70."""
