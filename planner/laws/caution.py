"""Warnings as data: a stable code for programs and a sentence for people.

A caution travels with the number it qualifies (a prediction, a fit, a plan), so that nobody has to read a log
to learn that a value is extrapolated. Codes are upper-case words, never reworded once published.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caution:
    """Something the reader of a number ought to know before using it."""

    code: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence
