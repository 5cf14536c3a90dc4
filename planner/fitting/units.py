"""Units of counts: read off a header (`N (B)`, `tokens_millions`, `D [1e9]`) or a cell (`70M`), or guessed from values.

A header is read as a name and a unit, `units.toml` says which are known. What a letter means is a convention that the
values have to bear out: a count that the unit takes further from what runs usually have is not in that unit (`params_b`
may be the parameters of model b). Values alone never decide anything; they make a question worth asking.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from planner.laws.variables import variable

FEWEST_USUAL = 1e6  # variables that usually reach this are counts that people abbreviate
FURTHEST = 4.0  # decades from what runs usually have, of a count that a header's unit may lead to
_RAISED = re.compile("10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SEPARATED = re.compile(r"\d{1,3}(,\d{3})+")
COMMON = (1e3, 1e6, 1e9, 1e12)

_POWER = r"(?:[x×*]\s*)?(?:1e\+?(?P<e>\d{1,2})|10(?:\^|\*\*)(?P<p>\d{1,2}))"
_NOUN = r"(?P<noun>[\s_]*(?:params?|parameters?|tokens?|toks?|flops?|samples|chars|characters))?"


@dataclass(frozen=True)
class Abbreviation:
    """A header taken apart: `stem` names what is counted, `factor` what one of it counts.

    `clear` is false where another reading of the header is as likely: one letter after one letter (`N_B`), or a size
    that may be in bytes.
    """

    stem: str
    factor: float
    clear: bool


def abbreviations(header: str) -> Iterator[Abbreviation]:
    """The ways to read a header as a name and a unit, the likeliest first; none where it names no unit."""
    bracket, word_after, word_before, letter_after, letter_joined = _patterns()
    text = _RAISED.sub(lambda power: f"10^{power[1].translate(_DIGITS)}", header.strip())
    if found := bracket.fullmatch(text):
        yield _read(found, clear=found["noun"] is not None or not (_by_letter(found) and is_size(found["stem"])))
    for pattern in (word_after, word_before):
        if found := pattern.fullmatch(text):
            yield _read(found, clear=True)
    for pattern in (letter_after, letter_joined):
        if found := pattern.fullmatch(text):
            yield _read(found, clear=len(found["stem"]) > 1 and not is_size(found["stem"]))


def quantity(text: str) -> float:
    """The number that a cell such as `70M`, `1.3 billion` or `1,300,000` says; NaN where it says none."""
    found = _quantity().fullmatch(text.strip().replace(",", "") if _SEPARATED.fullmatch(text.strip()) else text.strip())
    if found is None:
        return math.nan
    words, letters = _units()
    unit = (found["unit"] or "").lower()
    return float(found["number"]) * ({**letters, **words}[unit] if unit else 1.0)


def is_size(name: str) -> bool:
    """Whether the name says a size but not of what: one in bytes (B, M, G), or in words (small, large)."""
    return "size" in name.lower() and not re.search("param|token", name.lower())


def is_abbreviated(name: str) -> bool:
    """Whether the variable is a count large enough to be given in thousands and more."""
    entry = variable(name)
    return entry.usual[1] >= FEWEST_USUAL and entry.range.lower >= 0.0


def borne_out(name: str, values: NDArray[np.float64], factor: float) -> bool:
    """Whether `factor` takes the median of `values` of the variable called `name` nearer to what runs usually have."""
    usable = values[np.isfinite(values) & (values > 0)]
    if not len(usable):
        return False
    middle = float(np.median(usable))
    scaled = _decades_from_usual(name, middle * factor)
    return scaled <= FURTHEST and scaled < _decades_from_usual(name, middle)


def likely_factor(name: str, value: float) -> float:
    """The usual unit (one, thousand … trillion) in which `value` of the variable called `name` is nearest to usual."""
    low, high = np.log10(variable(name).usual)
    return min((1.0, *COMMON), key=lambda factor: abs(np.log10(value * factor) - 0.5 * (low + high)))


def unit_name(factor: float) -> str:
    """`billions` of 1e9."""
    return {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}.get(factor, f"units of {factor:g}")


def _decades_from_usual(name: str, value: float) -> float:
    low, high = np.log10(variable(name).usual)
    return float(max(low - np.log10(value), np.log10(value) - high, 0.0))


def _by_letter(found: re.Match[str]) -> bool:
    return found["unit"].lower() in _units()[1]


def _read(found: re.Match[str], *, clear: bool) -> Abbreviation:
    unit, groups = found["unit"].lower(), found.groupdict()
    power = groups.get("e") or groups.get("p")
    words, letters = _units()
    factor = 10.0 ** int(power) if power else words.get(unit) or letters[unit]
    return Abbreviation(found["stem"].strip(" _-./,×"), factor, clear and factor > 1.0)


@cache
def _quantity() -> re.Pattern[str]:
    units = "|".join(re.escape(u) for known in _units() for u in sorted(known, key=len, reverse=True))
    return re.compile(rf"(?P<number>[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)(\s*(?P<unit>{units}))?", re.IGNORECASE)


@cache
def _units() -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Words and letters, in lower case, with their factors."""
    table = tomllib.loads(files("planner.fitting").joinpath("units.toml").read_text("utf-8"))
    words = {word: float(row["factor"]) for row in table.values() for word in row["words"]}
    return words, {letter: float(row["factor"]) for row in table.values() for letter in row["letters"]}


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    words, letters = ("|".join(re.escape(u) for u in sorted(known, key=len, reverse=True)) for known in _units())
    stem, between = r"(?P<stem>.+?)", r"(?:[\s_]+in)?[\s_\-.,/]+"
    return tuple(
        re.compile(pattern, flags)
        for pattern, flags in (
            (rf"{stem}\s*[(\[{{]\s*(?:in\s+)?(?P<unit>{_POWER}|{words}|{letters}){_NOUN}\s*[)\]}}]", re.IGNORECASE),
            (rf"{stem}{between}(?P<unit>{_POWER}|{words}){_NOUN}", re.IGNORECASE),
            (rf"(?P<unit>{words})[\s_\-]+(?:of[\s_]+)?{stem}", re.IGNORECASE),
            (rf"{stem}{between}(?P<unit>{letters})", re.IGNORECASE),
            (r"(?P<stem>.*[a-z]{3})(?P<unit>[KMBT])", re.NOFLAG),
        )
    )
