"""A headless Chromium over the DevTools protocol, spoken through two pipes: no package, no port, no network."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass, field

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--remote-debugging-pipe", "--force-device-scale-factor=1"),
)
LOCAL = ("file:", "data:", "about:", "blob:")


@dataclass
class Page:
    """One tab: what it said, asked for and shows."""

    browser: "Browser"
    session: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def call(self, method, **parameters):
        return self.browser.call(method, parameters, self.session)

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def run(self, expression):
        """The value of an expression, which may be a promise; what it throws fails the test."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"]["exception"].get("description", found["exceptionDetails"]))
        return found["result"].get("value")

    def wait(self, expression, seconds=20):
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise AssertionError(f"never became true: {expression}; the console says {self.said}")
            time.sleep(0.02)

    def key(self, key, text=""):
        codes = {
            "Enter": 13,
            "Escape": 27,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "End": 35,
        }
        more = {"windowsVirtualKeyCode": codes[key]} if key in codes else {"text": text or key}
        if key == "Enter":
            more["text"] = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    def image(self, path):
        import base64

        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    @property
    def outside(self):
        """Requests that left the disk."""
        return [address for address in self.asked if not address.startswith(LOCAL)]


class Browser:
    def __init__(self, profile):
        reading, self.out = os.pipe()
        self.back, writing = os.pipe()
        high = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in (reading, writing)]

        def place():  # the browser reads at 3 and writes at 4
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=place,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for each in (reading, writing, *high):
            os.close(each)
        self.number, self.rest, self.pages = 0, b"", {}

    def page(self, width=1280, height=860, dark=False):
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        return page

    def call(self, method, parameters=None, session=None):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def read(self, seconds=60):
        while b"\0" not in self.rest:
            if not select.select([self.back], [], [], seconds)[0]:
                raise AssertionError("the browser says nothing")
            more = os.read(self.back, 1 << 20)
            if not more:
                raise AssertionError("the browser is gone")
            self.rest += more
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def note(self, event):
        page, method, more = self.pages.get(event.get("sessionId")), event.get("method"), event.get("params", {})
        if page is None:
            return
        if method == "Runtime.consoleAPICalled":
            page.said.append(f"{more['type']}: {[each.get('value') for each in more['args']]}")
        elif method == "Runtime.exceptionThrown":
            page.said.append(str(more["exceptionDetails"].get("exception", more["exceptionDetails"])))
        elif method == "Log.entryAdded":
            page.said.append(f"{more['entry']['level']}: {more['entry']['text']} {more['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            page.asked.append(more["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            page.said.append(f"dialog: {more['message']}")

    def close(self):
        try:
            self.call("Browser.close")
        except (AssertionError, OSError):
            self.process.kill()
        self.process.wait(20)
        os.close(self.out)
        os.close(self.back)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on this machine")
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
