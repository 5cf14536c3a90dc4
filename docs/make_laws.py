"""Writes docs/laws.md from the catalogue, so that the page cannot say other than what is planned with.

python docs/make_laws.py          writes the page
python docs/make_laws.py --check  exits 1 if the committed page is stale
"""

from __future__ import annotations

import sys
from pathlib import Path

from planner.laws import FORMS, Form, Law, laws
from planner.laws.compute import COMPUTE_MODELS
from planner.laws.exponents import known_exponents
from planner.laws.families import families
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

What a plan can prove depends on the form: a posynomial and its relatives end in a certificate (see
[planning](planning.md)).

The page has the [families of models](#which-law-for-which-models), [all laws](#all-laws) in one table,
[ways of counting](#ways-of-counting) parameters and FLOPs, [known exponents](#known-exponents) without a law,
[scores of public models](#scores-of-public-models), [what is not here](#what-is-not-here), and
[every form](#forms-and-their-published-laws) with its coefficients.
"""
COUNTING = """## Ways of counting

A law holds for its own way of counting parameters (`counting`, on the wire `parameter_convention`) and FLOPs
(`compute_model`). Counts are converted by `planner.laws.convert`: between `total` and `non_embedding` by
total = N + w N^(1/3) at a constant aspect ratio (Pearce & Song 2024), or exactly from a vocabulary and a width;
`active` and `nonzero` from the facts of the model (experts and their share, density). `apportion fit` takes the
convention from the name of the column (`N_nonemb`, `N_total`, `N_active`, `N_nonzero`; else `total`), or from the name
it is mapped to (`--map params=N_nonemb`). `apportion predict` converts a column that counts otherwise than the law, and
refuses where the facts to convert with are missing; a column named `N` is in the law's own convention. A plan's
`parameter_count` is in the convention of its law.

```python
from planner.laws import DENSE, CountingFacts, convert

print(convert(1e8, "non_embedding", "total"))  # 1.22e8: a 32k vocabulary at a constant aspect ratio
gpt2 = CountingFacts(vocabulary_size=50257, model_width=768)
print(convert(85e6, "non_embedding", "total", gpt2))  # 1.236e8, exactly
mixtral = CountingFacts(expert_count=8, expert_share=0.966, active_experts=2)
print(convert(46.7e9, "total", "active", mixtral))  # 1.287e10
print(convert(1e9, "total", "active", DENSE))  # the same
```

```csv points.csv
N_nonemb,D
1e8,1e10
1e9,1e11
```
```console
$ apportion predict besiroglu-2024 points.csv
```
"""
CAPABILITIES = """## Scores of public models

`observational-<n>` gives a score from n capabilities, the principal components of a model's scores on other benchmarks
(Ruan et al. 2024): no run has to be paid for. In a family of models a capability is a line in the logarithm of compute.

```python
import numpy as np
from planner.fitting import Runs, fit_law
from planner.laws.capabilities import capabilities

generator = np.random.default_rng(0)
skill = generator.standard_normal((60, 2))  # two causes of all scores
scores = 0.5 + 0.1 * skill @ generator.uniform(0.2, 1.0, (2, 6))  # (models, benchmarks), NaN where not taken
target = 0.25 + 0.75 / (1.0 + np.exp(-skill[:, 0]))  # a further benchmark, 0.25 at chance
found = capabilities(scores, component_count=2)
table = {f"capability_{k + 1}": found.values[:, k] for k in range(2)}
law = fit_law(Runs.from_columns({**table, "loss": target}), "observational-2", bootstrap=0)
print(found.explained.sum(), law.form.values()["h"])  # 1.0 0.25
```
"""
ABSENT = """## What is not here

| of | why |
|---|---|
| unified neural scaling law (Caballero et al. 2026, arXiv 2605.26248) | the formula was not in any source read |
| RegMix (arXiv 2407.01492), AutoScale (arXiv 2407.20177) | regressions on proxy models, no law |
| size of a datastore (Shao et al. 2024, arXiv 2407.12854) | no law published; `datastore` is an assumed form |
| repeated subsets and double descent (Hernandez et al. 2022, arXiv 2205.10487) | no formula; fits warn instead |
| Mamba, Griffin | parallel lines of loss, no published constants |
| attention variants, multilingual, alignment | exact forms not found |
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


def spans(law: Law) -> str:
    """The range of the runs behind a law."""
    found = (f"`{name}` {number(s.lower)} to {number(s.upper)}" for name, s in law.training_range.items())
    return "; ".join(found) or "not stated"


def law_row(law: Law) -> str:
    coefficients = ", ".join(
        f"`{c.name}` {number(float(v))}" for c, v in zip(law.form.coefficients, law.form.vector(), strict=True)
    )
    grade = f"{law.grade}, *known bad*" if law.known_bad else law.grade
    draws = f"; {len(law.draws)} joint draws" if law.draws is not None else ""
    about = law.corpus if law.metric == LOSS else f"{law.metric}; {law.corpus}"
    if "parameter_count" in law.form.variables:
        about += f"; {law.counting.replace('_', '-')} parameters, compute `{law.compute_model.name}`"
    source = f"{law.citation}. {law.notes}" if law.notes else law.citation
    return f"| `{law.name}` | {grade}{draws} | {coefficients} | {spans(law)} | {about} | {source} |"


def link(form_name: str) -> str:
    """A form's name, leading to its section."""
    return f"[`{form_name}`](#{form_name})"


def family_table() -> str:
    """The default of each family of models."""
    rows = [
        f"| {f.name} | {link(f.form)} | {f'`{f.law}`' if f.law else 'none: fit your own'} | {f.grade} "
        f"| {', '.join(link(name) for name in f.alternatives) or 'none'} | {f.plan} |"
        for f in families()
    ]
    head = [
        "| models | form | law to begin with | grade | alternatives | what a plan decides |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def overview() -> str:
    """All laws in one table; a form without published coefficients has a row of its own."""
    rows = []
    for form in FORMS:
        facts = f"{', '.join(form.variables)} | {form.optimisation_class.value}"
        known = [law for law in laws() if type(law.form) is form]
        if not known:
            assumed = "C, assumed" if "assumed" in form.citation else "C"
            rows.append(
                f"| to be fitted | {link(form.form_name)} | {assumed} | {facts} | your runs | {form.citation} |"
            )
        for law in known:
            grade = f"{law.grade}, *known bad*" if law.known_bad else law.grade
            rows.append(
                f"| `{law.name}` | {link(form.form_name)} | {grade} | {facts} | {spans(law)} | {law.citation} |"
            )
    head = ["| law | form | grade | variables | for the optimiser | range of its runs | source |", "|" + "---|" * 7]
    return "\n".join([*head, *rows, ""])


def compute_table() -> str:
    """The compute models."""
    rows = [
        f"| `{model.name}` | {model.counting.replace('_', '-') or 'as the law'} | {first_sentence(model.__doc__)} |"
        for model in COMPUTE_MODELS
    ]
    return "\n".join(["| compute model | counts | FLOPs |", "|---|---|---|", *rows, ""])


def exponent_table() -> str:
    """Exponents without a law."""
    rows = []
    for known in known_exponents():
        cases = "; ".join(
            f"{case} {number(s.lower)}" + (f" to {number(s.upper)}" if s.upper != s.lower else "")
            for case, s in known.values.items()
        )
        rows.append(f"| {known.of} | {cases} | {known.grade} | {known.source} |")
    return "\n".join(["| exponent of | values | grade | source |", "|---|---|---|---|", *rows, ""])


def page() -> str:
    """The whole page."""
    parts = [
        HEAD,
        "## Which law for which models\n",
        family_table(),
        "## All laws\n",
        overview(),
        COUNTING,
        compute_table(),
        "## Known exponents\n",
        exponent_table(),
        CAPABILITIES,
        ABSENT,
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
