"""Rows in, answers out: what every script here does with the tool it asks, in an environment without ours."""

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def answer_rows(answer: Callable[[Row], dict[str, float]]) -> None:
    """Print the answers to the rows of the file named on the command line: for each a mapping with its CPU `seconds`,
    or null where the tool refuses, with its reason on standard error."""
    answers: list[dict[str, float] | None] = []
    for row in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        started = time.process_time()
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                answers.append({**answer(row), "seconds": time.process_time() - started})
        except (Exception, SystemExit) as error:  # some are command-line tools at heart, and leave
            answers.append(None)
            print(type(error).__name__, str(error)[:200], file=sys.stderr)
    print(json.dumps(answers))
