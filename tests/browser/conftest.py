"""A real browser on the built site: every foreign request refused, every complaint on the console a failure."""

import functools
import http
import http.server
import threading

import chromium
import pytest
from playwright.sync_api import sync_playwright
from visitor import SITE, Visitor

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name is looked up: whatever asks for another host fails, and is reported.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


# One module at a time: while Playwright runs, nothing else in this thread can use asyncio.
@pytest.fixture(scope="module")
def browser():
    path = chromium.find()
    if path is None:
        pytest.fail("a browser is needed: run `make browser`")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/favicon.ico":
            # Browsers ask for one by themselves, and complain.
            self.send_response(http.HTTPStatus.NO_CONTENT)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def origins():
    """Where the built site is: {"http": ..., "file": ...}, each to be followed by a path such as "/index.html"."""
    if not (SITE / "index.html").is_file():
        pytest.fail("the site is not built: run `make book`")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(SITE)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield {"http": f"http://127.0.0.1:{server.server_port}", "file": SITE.as_uri()}
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visitor(browser, origins):
    """A :class:`Visitor` of the site; the test fails if anything complained or left."""
    visitor = Visitor(browser, origins.values())
    yield visitor
    visitor.close()
    assert visitor.complaints == []
