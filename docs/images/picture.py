"""Takes the README's picture: one person connects, in Chromium, against the local cloud.

    cloud.py run -- python docs/images/picture.py     (`make picture`)

Four screenshots of a phone-sized window, put side by side by the same browser, become docs/images/connect.png.
"""

import base64
import contextlib
import html
import json
import os
import pathlib
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PICTURE = HERE / "connect.png"
MAX_BYTES = 300_000
PHONE = {"width": 375, "height": 667, "pixelRatio": 2}
WAIT_SECONDS = 30
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id (W3C WebDriver §12)

# The pages ask for the system's font; this makes it one that phones have.
FONTS = """<?xml version="1.0"?><fontconfig><include>/etc/fonts/fonts.conf</include>
<match><edit name="family" mode="prepend" binding="strong"><string>Roboto</string></edit></match>
</fontconfig>"""

STRIP = """<!doctype html><meta charset="utf-8"><style>
body{margin:0;padding:28px 24px 22px;width:1232px;background:#f6f8fa;color:#1f2933;
  font:600 17px/1.3 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{display:flex;gap:16px;align-items:flex-start;box-sizing:border-box}
figure{margin:0;flex:1;min-width:0}
img{display:block;width:100%;box-sizing:border-box;border:7px solid #0b141a;border-radius:24px}
figcaption{margin-top:12px;text-align:center}
b{color:#0b7a4b}
</style><main>FIGURES</main>"""


class Browser:
    """Chromium, driven by the W3C WebDriver protocol."""

    def __init__(self, driver, options):
        self.driver = driver
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        chrome = {"args": arguments, **options}
        answer = self._call("POST", "", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": chrome}}})
        self.session = f"/{answer['sessionId']}"

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.driver}/session{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def do(self, method, path, body=None):
        return self._call(method, self.session + path, body)

    def open(self, url):
        self.do("POST", "/url", {"url": url})

    def find(self, css):
        """The element, as soon as it is there."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                return self.do("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]
            except urllib.error.HTTPError:
                if time.monotonic() > until:
                    raise TimeoutError(f"the page has no {css}") from None
                time.sleep(0.1)

    def click(self, css):
        self.do("POST", f"/element/{self.find(css)}/click", {})

    def script(self, text):
        return self.do("POST", "/execute/sync", {"script": text, "args": []})

    def screenshot(self):
        return base64.b64decode(self.do("GET", "/screenshot"))

    def close(self):
        self._call("DELETE", self.session)


@contextlib.contextmanager
def chromedriver(folder):
    fonts = folder / "fonts.conf"
    fonts.write_text(FONTS)
    environment = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(["chromedriver", f"--port={port}"], env=environment, **quiet)
    try:
        until = time.monotonic() + WAIT_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if time.monotonic() > until:
                raise TimeoutError("chromedriver does not listen")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def browser(driver, **options):
    window = Browser(driver, options)
    try:
        yield window
    finally:
        window.close()


def walk(window, chat_url):
    """(caption, screenshot) of each step that the person sees."""
    chat = f"whatsapp:+1555{secrets.randbelow(10**7):07}"
    window.open(f"{chat_url}?{urllib.parse.urlencode({'wa_id': chat})}")
    window.click("#connect-salesforce")
    link = window.find("a.connect-link")
    _settle()
    yield "Tap the link in the chat", window.screenshot()

    # In the same window: a phone shows one page at a time.
    window.open(window.do("GET", f"/element/{link}/attribute/href"))
    window.find("form button")
    _settle()  # the button takes no press in its first half second
    yield "Check that it is your chat", window.screenshot()

    window.click("form button")
    window.click("#Login")
    window.find("#oaapprove")
    yield "Log in and allow", window.screenshot()

    window.click("#oaapprove")
    window.find("main.good")
    window.open(f"{chat_url}?{urllib.parse.urlencode({'wa_id': chat})}")
    window.find("li.message")
    _settle()
    yield "Connected, says the chat", window.screenshot()


def _settle():
    """A bubble fades in for a moment."""
    time.sleep(0.5)


def strip(shots):
    """A page with the screenshots side by side."""
    figures = (
        f'<figure><img src="data:image/png;base64,{base64.b64encode(shot).decode()}">'
        f"<figcaption><b>{number}</b> {html.escape(caption)}</figcaption></figure>"
        for number, (caption, shot) in enumerate(shots, 1)
    )
    return STRIP.replace("FIGURES", "".join(figures))


def main():
    state = json.loads(pathlib.Path(os.environ["LOCAL_CLOUD_STATE"]).read_text())
    with tempfile.TemporaryDirectory() as name, chromedriver(folder := pathlib.Path(name)) as driver:
        with browser(driver, mobileEmulation={"deviceMetrics": PHONE}) as phone:
            shots = list(walk(phone, state["chat_url"]))
        page = folder / "strip.html"
        page.write_text(strip(shots))
        sheet = {"deviceMetrics": {"width": 1280, "height": 640, "pixelRatio": 1}}
        with browser(driver, mobileEmulation=sheet) as window:
            window.open(page.as_uri())
            body = window.find("body")
            picture = base64.b64decode(window.do("GET", f"/element/{body}/screenshot"))
    if len(picture) > MAX_BYTES:
        raise SystemExit(f"the picture has {len(picture):,} bytes, more than {MAX_BYTES:,}")
    PICTURE.write_bytes(picture)
    print(f"{PICTURE.name}: {len(picture):,} bytes")


if __name__ == "__main__":
    main()
