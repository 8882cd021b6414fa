"""Steps as they come, and the packets that are expected since the last of them were.

It refuses to know what the steps are about.
"""

from netlab.importing.segments import Event
from netlab.importing.written import Step

_NOTICED, _LONGEST = 20_000_000, 1_000_000_000
_MILLISECOND = 1_000_000
ACKNOWLEDGED = " . {0,}"
"""How the pattern of acknowledgements ends, of which a stack may send any number."""


class Script:
    """Steps as they come, and the packets to expect since the last expect; ``asserted``: some of them are a real stack's own."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.expected: list[str] = []
        self.asserted = False
        self.within = ""
        self.again = ""
        self.turn: object = None
        self.time = 0

    def comment(self, text: str) -> None:
        """A comment of its own."""
        self.steps.append(Step(text=text))

    def call(self, host: str, text: str) -> None:
        """A step at a host."""
        self.steps.append(Step(host=host, text=text))

    def expect(self, pattern: str, *, asserted: bool = True) -> None:
        """One more packet is due."""
        if not (self.expected and self.expected[-1] == pattern and pattern.endswith("{0,}")):
            self.expected.append(pattern)
        self.asserted = self.asserted or asserted

    def flush(self) -> None:
        """What was expected must have come before anything else is done."""
        if self.expected:
            self.steps.append(Step(host="expect", packets=tuple(self.expected), within=self.within))
        # What a stack sends by itself may come after what was waited for: an acknowledgement, or once more, where the next step of
        # a busy machine is late, what the other side did not acknowledge in time.
        late = self.expected[-1:] if self.expected and self.expected[-1].endswith(ACKNOWLEDGED) else []
        self.expected, self.asserted, self.within = [*filter(None, [self.again]), *late], False, ""
        self.again = ""

    def pause(self, event: Event) -> None:
        """As long as the capture's, up to a second; what is hardly noticed is left out."""
        gap = event.time - self.time if self.time else 0
        if gap < _NOTICED:
            return
        if self.asserted:
            self.flush()
        if gap > _LONGEST:
            self.comment(f"{gap / 1e9:.1f} s passed here in the capture.")
        self.call("wait", f"{min(gap, _LONGEST) // _MILLISECOND}ms")
