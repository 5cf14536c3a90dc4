"""Writes docs/laws.md from the catalogue, so that the page cannot say other than what is planned with.

python docs/make_laws.py          writes the page
python docs/make_laws.py --check  exits 1 if the committed page is stale
"""

from __future__ import annotations

import sys
from pathlib import Path

from planner.laws import FORMS, Form, Law, laws
from planner.laws.law import LOSS

PAGE = Path(__file__).with_name("laws.md")
HEAD = """# Laws

<!-- Written by docs/make_laws.py from the catalogue; edit that instead. -->

A **form** is a formula, a **law** is a form with coefficients. Losses are in nats per token of the corpus and
tokenizer named; losses on different corpora do not compare. Use a published law to get a feeling; to decide about
money, fit a form to your own runs (`apportion fit RUNS.csv --form chinchilla`, see [the command line](cli.md)).

Grades say where coefficients come from: **A** in several sources, or reproduced from the authors' data; **B** one
source or a narrow range; **C** the form only; **unverified** is never a default. Whether a fit is any good is another
question: laws marked *known bad* are here to be compared with, and a plan made with one warns.

What a plan can prove depends on the form: "a geometric program" and its relatives end in a certificate (see
[planning](planning.md)).
"""


def first_sentence(text: str | None) -> str:
    """The first paragraph of a docstring, as one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


def number(value: float) -> str:
    """`1.6e10` for the large, `406.401018` for the rest."""
    if abs(value) < 1e5:
        return f"{value:.9g}"
    mantissa, exponent = f"{value:.8e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def formula(form: type[Form]) -> str:
    """What the form computes, as its docstring says."""
    return first_sentence(form.loss.__doc__).rstrip(".")


def form_section(form: type[Form]) -> str:
    variables = ", ".join(f"`{name}`" for name in form.variables)
    enumerated = ", ".join(f"`{name}`" for name in form.enumerated)
    rows = [f"| `{c.name}` | {number(c.lower)} to {number(c.upper)} | {c.unit or 'none'} |" for c in form.coefficients]
    known = [law for law in laws() if type(law.form) is form]
    return "\n".join(
        [
            f"### `{form.form_name}`",
            "",
            f"{first_sentence(form.__doc__)}",
            "",
            f"    {formula(form)}",
            "",
            f"- variables: {variables}" + (f"; enumerated in a plan: {enumerated}" if enumerated else ""),
            f"- for the optimiser: {form.optimisation_class.value}",
            f"- source: {form.citation}",
            "",
            "| coefficient | allowed | unit |",
            "|---|---|---|",
            *rows,
            "",
            *(law_table(known) if known else ["No published coefficients: to be fitted to your own runs.", ""]),
        ]
    )


def law_table(known: list[Law]) -> list[str]:
    """The published laws of one form."""
    return [
        "| law | grade | coefficients | range of its runs | of | source and notes |",
        "|---|---|---|---|---|---|",
        *(law_row(law) for law in known),
        "",
    ]


def law_row(law: Law) -> str:
    coefficients = ", ".join(
        f"`{c.name}` {number(float(v))}" for c, v in zip(law.form.coefficients, law.form.vector(), strict=True)
    )
    spans = "; ".join(f"`{name}` {number(s.lower)} to {number(s.upper)}" for name, s in law.training_range.items())
    grade = f"{law.grade}, *known bad*" if law.known_bad else law.grade
    draws = f"; {len(law.draws)} joint draws" if law.draws is not None else ""
    about = law.corpus if law.metric == LOSS else f"{law.metric}; {law.corpus}"
    if "parameter_count" in law.form.variables:
        about += f"; {law.counting.replace('_', '-')} parameters, compute `{law.compute_model.name}`"
    source = f"{law.citation}. {law.notes}" if law.notes else law.citation
    return f"| `{law.name}` | {grade}{draws} | {coefficients} | {spans or 'not stated'} | {about} | {source} |"


def overview() -> str:
    """All forms in one table."""
    rows = [
        f"| [`{form.form_name}`](#{form.form_name}) | {', '.join(form.variables)} | {form.optimisation_class.value} "
        f"| {', '.join(sorted({law.grade for law in laws() if type(law.form) is form})) or 'to be fitted'} |"
        for form in FORMS
    ]
    return "\n".join(["| form | variables | for the optimiser | grades of its laws |", "|---|---|---|---|", *rows, ""])


def page() -> str:
    """The whole page."""
    parts = [
        HEAD,
        "## All forms\n",
        overview(),
        "## Forms and their published laws\n",
        *(form_section(f) for f in FORMS),
    ]
    return "\n".join(parts).rstrip() + "\n"


def main() -> int:
    if "--check" in sys.argv[1:]:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
