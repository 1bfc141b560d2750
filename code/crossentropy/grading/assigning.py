"""Write the student's and the instructor's version of every assignment: ``python -m crossentropy.grading.assigning``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from crossentropy.grading import assignment, notebook
from crossentropy.grading.report import write


def versions(place: Path, out: Path, wanted: Sequence[str] = ()) -> list[Path]:
    """Write ``out/NAME/student/NAME.ipynb`` and ``out/NAME/instructor/NAME.ipynb``; returns what was written.

    Raises:
        ValueError: if an assignment is missing or incomplete, naming the cell.
    """
    written = []
    for name in wanted or assignment.names(place):
        # Reading it whole is the check that nothing is missing.
        assignment.read(place, name)
        record = json.loads(assignment.source(place, name).read_text(encoding="utf8"))
        for version, made in (("student", notebook.student_version(record)), ("instructor", record)):
            path = out / name / version / f"{name}.ipynb"
            write(path, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
            written.append(path)
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m crossentropy.grading.assigning", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which assignments (default: all)")
    parser.add_argument("--assignments", metavar="DIR", help="where NAME/NAME.ipynb is (default: assignments)")
    parser.add_argument("--out", type=Path, default=Path("_build/assignments"), metavar="DIR")
    given = parser.parse_args(arguments)
    try:
        for path in versions(assignment.folder(given.assignments), given.out, given.names):
            print(path)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
