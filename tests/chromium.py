"""A headless Chromium that tests drive by its DevTools protocol over a pair of pipes: no port, no library, gone with the test."""

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WITHIN = 60.0
FOUND = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
MISSING = "no chromium (apt-get install chromium)"


_ON_3_AND_4 = """
import fcntl, os, sys
low, high = (fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3])
os.dup2(low, 3)
os.dup2(high, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""A program that puts two pipes where the browser speaks its protocol, and becomes the browser."""


class Browser:
    """One page of one browser. ``said`` is what its console and its log said, ``asked`` the URLs that it asked for."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._ids = itertools.count(1)
        self._rest = b""
        self._session = ""
        self._events: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.asked: list[str] = []

    def start(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            came = self._receive()
            if came.get("id") == number:
                assert "error" not in came, (method, came["error"])
                result: dict[str, Any] = came["result"]
                return result
            self._take(came)

    def open(self, page: Path, *, width: int = 1024, height: int = 900, dark: bool = False, media: str = "") -> None:
        self.said.clear()
        self.asked.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self._events.clear()
        self.call("Page.navigate", url=page.as_uri())
        self._until("Page.loadEventFired")

    def go_to(self, fragment: str) -> None:
        """Follow a link inside the page."""
        self._events.clear()
        self.evaluate(f"void(location.hash = {json.dumps(fragment)})")
        self._until("Page.navigatedWithinDocument")

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def press_to_follow(self, key: str, code: int) -> None:
        """Press a key on a link that leads to another part of the page."""
        self._events.clear()
        self.press(key, code)
        self._until("Page.navigatedWithinDocument")

    def picture(self, to: Path, *, whole: bool = True) -> None:
        """What it shows, as a PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        to.write_bytes(base64.b64decode(shot["data"]))

    def _until(self, method: str) -> None:
        while not any(one["method"] == method for one in self._events):
            self._take(self._receive())

    def _take(self, came: dict[str, Any]) -> None:
        if "method" not in came:
            return
        self._events.append(came)
        parameters = came["params"]
        match came["method"]:
            case "Runtime.consoleAPICalled":
                self.said.append(str(parameters["args"]))
            case "Runtime.exceptionThrown":
                self.said.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.said.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent":
                self.asked.append(parameters["request"]["url"])

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + WITHIN
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(until - time.monotonic(), 0))
            assert ready, f"the browser said nothing for {WITHIN} s"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        came: dict[str, Any] = json.loads(message)
        return came


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own below a temporary directory; all its processes end with the block."""
    down_read, down_write = os.pipe()
    up_read, up_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={home}"]
        arguments = [FOUND, *options, "--remote-debugging-pipe"]
        command = [sys.executable, "-c", _ON_3_AND_4, str(down_read), str(up_write), *arguments]
        process = subprocess.Popen(
            command,
            pass_fds=(down_read, up_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HOME": home},
        )
        os.close(down_read)
        os.close(up_write)
        try:
            found = Browser(down_write, up_read)
            found.start()
            yield found
        finally:
            os.close(down_write)
            os.close(up_read)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
