"""The text itself: British spelling, no filler, and links between the repository's own files that lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.md"))
PAGES = [*CHAPTERS, *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]

FILLER = r"simply|obviously|clearly|trivially|needless to say|in conclusion|it is easy to see|of course|basically|powerful|leverage"
# Stems: the American spelling of words that this subject uses.
AMERICAN = (
    r"normaliz|regulariz|minimiz|maximiz|optimiz|initializ|generaliz|summariz|parametriz|standardiz|penaliz|memoriz|recogniz|"
    r"vectoriz|visualiz|organiz|factoriz|behavior|color|favor|center|labeled|labeling|modeled|modeling|gray|neighbor|analyz|judgment"
)


def prose(path: Path) -> str:
    """The page without front matter, code, maths, links' targets and roles' arguments."""
    text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(), flags=re.DOTALL)
    text = re.sub(r"^(`{3,})\{?(?:code-cell|code-block|math|bibliography|python|bash|text|toml)?.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)  # fmt: skip
    text = re.sub(r"\$\$.*?\$\$|\$[^$]+\$|`[^`\n]+`|\]\([^)]*\)", " ", text, flags=re.DOTALL)
    return text


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_prose_has_no_filler(path):
    assert not re.findall(rf"\b(?:{FILLER})\b", prose(path), flags=re.IGNORECASE)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_spelling_is_british(path):
    assert not re.findall(rf"\b\w*(?:{AMERICAN})\w*", prose(path), flags=re.IGNORECASE)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_links_between_files_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s#]+)", path.read_text()):
        # Of a scheme that the build resolves, the site's tests follow the result.
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"
