"""A reader of the site: opens pages, and keeps what must not happen."""

import functools
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "_build" / "html"


@functools.cache
def without_weight(path):
    """The page at this path below the site without its formulas, figures, icons and search: most of a browser's work."""
    page = BeautifulSoup((SITE / path).read_bytes(), "html.parser")
    for heavy in page.select(".katex, .ce-figure, script[src*=fontawesome], script[src*=search]"):
        heavy.decompose()
    return str(page)


class Visitor:
    """Opens pages as one kind of reader, and keeps what must not happen: see ``complaints``."""

    def __init__(self, browser, allowed):
        self.browser, self.allowed = browser, allowed
        self.contexts, self.complaints = [], []

    def open(self, url, *, width=1200, height=900, theme="light", touch=False, scripts=True, before="", light=False):
        """The page at ``url``; ``before`` is JavaScript that runs first; ``light``: see ``without_weight``."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            has_touch=touch,
            java_script_enabled=scripts,
        )
        self.contexts.append(context)
        context.set_default_timeout(30_000)
        if before:
            context.add_init_script(before)
        page = context.new_page()
        if light:
            page.route("**/*.html*", self._lighten)
        page.on("request", lambda request: self._watch(request.url))
        page.on("console", lambda message: self._listen(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        # Deferred scripts have run by then.
        page.goto(url, wait_until="domcontentloaded")
        return page

    @staticmethod
    def _lighten(route):
        path = unquote(urlsplit(route.request.url).path)
        # Over http the path starts at the site, from a folder at the machine's root.
        path = path.removeprefix(str(SITE)).lstrip("/")
        route.fulfill(body=without_weight(path), content_type="text/html; charset=utf-8")

    def _watch(self, url):
        if not url.startswith((*self.allowed, "data:", "blob:")):
            self.complaints.append(f"foreign request: {url}")

    def _listen(self, kind, text):
        if kind in ("error", "warning"):
            self.complaints.append(f"console {kind}: {text}")

    def close(self):
        for context in self.contexts:
            context.close()
