"""Chromium without a driver: commands of its DevTools protocol, over its own pipe."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)

AXE_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


class Browser:
    """One page of a browser that has no screen."""

    def __init__(
        self, profile: Path, *, width: int = 1300, height: int = 1000, dark: bool = False, lang: str = "en-US"
    ) -> None:
        if CHROMIUM is None:
            raise FileNotFoundError("chromium")
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (*os.pipe(), *os.pipe())]  # 3 and 4 are the child's

        def connect() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[3], 4)

        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
        self._process = subprocess.Popen(  # noqa: S603  our own flags
            [CHROMIUM, *flags, f"--user-data-dir={profile}", f"--accept-lang={lang}", "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=connect,  # noqa: PLW1509  no threads here
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ends[0])
        os.close(ends[3])
        self._read, self._write = ends[2], ends[1]
        self._left, self._number, self.events = b"", 0, list[dict[str, Any]]()
        self._session: str | None = None
        self._origin = "file:"
        target = next(each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page")
        found = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(10)
        os.close(self._write)
        os.close(self._read)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Give a command and wait for its answer; what else comes is kept in `events`."""
        self._number += 1
        sent: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            sent["sessionId"] = self._session
        os.write(self._write, json.dumps(sent).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") == self._number:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']['message']}")
                return dict(got["result"])
            self.events.append(got)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            part = os.read(self._read, 1 << 20)
            if not part:
                raise EOFError("the browser has gone")
            self._left += part
        line, _, self._left = self._left.partition(b"\0")
        return dict(json.loads(line))

    def open(self, page: Path | str) -> None:
        """Open a file, or an address of a service, and wait until it is drawn."""
        self.events.clear()
        self._origin = page if isinstance(page, str) else "file:"
        self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while not any(each.get("method") == "Page.loadEventFired" for each in self.events):
            self.events.append(self._next())
        self.settle()

    def run(self, script: str) -> Any:
        """Give the value of an expression in the page."""
        got = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise RuntimeError(got["exceptionDetails"].get("exception", {}).get("description", "error in the page"))
        return got["result"].get("value")

    def settle(self) -> None:
        """Wait until the page has been drawn twice."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))")

    def wait(self, condition: str, seconds: float = 30.0) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def download(self, folder: Path, script: str) -> Path:
        """Give the file that a script makes the page save."""
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        before = set(folder.iterdir())
        self.run(script)
        end = time.monotonic() + 30
        while not (made := [p for p in set(folder.iterdir()) - before if p.suffix != ".crdownload"]):
            if time.monotonic() > end:
                raise TimeoutError(script)
            time.sleep(0.02)
        return made[0]

    def key(self, key: str) -> None:
        """Press a key."""
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.settle()

    def write(self, words: str) -> None:
        """Type words where the focus is."""
        self.call("Input.insertText", text=words)
        self.settle()

    def point(self, selector: str, *, press: bool = False) -> None:
        """Move the mouse over an element, and press it if asked."""
        x, y = self.run(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [box.left + box.width / 2, box.top + box.height / 2]; })()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if press:
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def picture(self, to: Path) -> None:
        """Write what is seen as PNG."""
        to.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def inaccessible(self) -> list[str]:
        """What axe-core finds wrong with the page as it stands: the rule and where; none where all is well.

        Its script comes in through the debugger, which the page's policy does not bind.
        """
        if not self.run("Boolean(globalThis.axe)"):
            self.run(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        found = self.run(
            f"axe.run({{ runOnly: {list(AXE_RULES)} }})"
            ".then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map("
            "({ target, failureSummary }) => `${id} ${target.join(' ')} ${failureSummary}`)))"
        )
        return list(found)

    @property
    def complaints(self) -> list[str]:
        """Errors of scripts and of the page's policy, and requests beyond the page itself."""
        time.sleep(0.05)
        self.run("1")
        found = []
        for each in self.events:
            params = each.get("params", {})
            if each.get("method") == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"].get("text")))
            if each.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
                found.append(str(params["entry"]["text"]))
            if each.get("method") == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith((self._origin, "data:", "blob:")):
                    found.append(f"request: {url}")
        return found
