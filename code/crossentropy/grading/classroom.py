"""Begin a class of your own: ``python -m crossentropy.grading.classroom DIR`` makes a folder for a private repository."""

import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from crossentropy.grading import assignment

README = """# A class

Keep this folder in a private repository: it holds solutions, hidden checks and the seed.

- `assignments/NAME/NAME.ipynb`: one source each, with solutions, in nbgrader's format. Those here are the book's samples, whose solutions are public: change them.
- `exercises/NAME.toml`: exercises of the class's own, in the form of the book's. `surprise` is an example; a test cell that says `mark("surprise", surprise, points={"definition": 2})` uses it. Students have no such file, so `check` does not know it: show them an example of what is right instead.
- `seed`: the secret from which the hidden inputs are drawn. Whoever knows it knows the inputs, not the answers.

    python -m crossentropy.grading.assigning --assignments . --out handout
    python -m crossentropy.grading submissions.zip --assignment NAME --assignments . --out grades/

Give out `handout/NAME/student/NAME.ipynb`, and nothing else of this folder.
"""
IGNORED = "handout/\ngrades/\nsubmissions*\n__pycache__/\n.ipynb_checkpoints/\n"


def begin(place: Path) -> None:
    """Make the folder: the samples to start from, an exercise of its own, a new seed, and how to go on.

    Raises:
        ValueError: if there is something at ``place`` already.
    """
    if place.exists() and any(place.iterdir()):
        raise ValueError(f"DIR must be a new or empty folder; there is something in {str(place)!r}")
    samples = assignment.folder()
    for name in assignment.names(samples):
        (place / "assignments" / name).mkdir(parents=True)
        shutil.copyfile(assignment.source(samples, name), place / "assignments" / name / f"{name}.ipynb")
    (place / assignment.EXERCISES).mkdir()
    shutil.copyfile(Path(__file__).with_name("surprise.toml"), place / assignment.EXERCISES / "surprise.toml")
    (place / "README.md").write_text(README, encoding="utf8")
    (place / ".gitignore").write_text(IGNORED, encoding="utf8")
    seed = place / assignment.SEED_FILE
    seed.touch(mode=0o600)
    seed.write_text(secrets.token_hex(16) + "\n", encoding="utf8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1 or given[0].startswith("-"):
        print("usage: python -m crossentropy.grading.classroom DIR", file=sys.stderr)
        return 2
    try:
        begin(Path(given[0]))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"A class is in {given[0]}; its README.md says how to go on.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
