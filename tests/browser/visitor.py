"""A reader of the site: opens pages, and keeps what must not happen."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "_build" / "html"


class Visitor:
    """Opens pages as one kind of reader, and keeps what must not happen: see ``complaints``."""

    def __init__(self, browser, allowed):
        self.browser, self.allowed = browser, allowed
        self.contexts, self.complaints = [], []

    def open(self, url, *, width=1200, height=900, theme="light", touch=False, scripts=True, before=""):
        """The page at ``url``; ``before`` is JavaScript that runs first."""
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
        page.on("request", lambda request: self._watch(request.url))
        page.on("console", lambda message: self._listen(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        # Deferred scripts have run by then.
        page.goto(url, wait_until="domcontentloaded")
        return page

    def _watch(self, url):
        if not url.startswith((*self.allowed, "data:", "blob:")):
            self.complaints.append(f"foreign request: {url}")

    def _listen(self, kind, text):
        if kind in ("error", "warning"):
            self.complaints.append(f"console {kind}: {text}")

    def close(self):
        for context in self.contexts:
            context.close()
