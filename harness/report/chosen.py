"""The best of several recipes: chosen on some samples, and its value is of others.

The best of several noisy values is flattered. Where a study has other samples, or other trainings,
the recipe is chosen on one half and valued on the rest; where it has not, the report says so.
Budgets (harness.report.sections.alternatives) say it in the same words.
"""

from __future__ import annotations

from harness.analysis.factors import Choice
from harness.analysis.intervals import interval
from harness.report.blocks import Block, Cell, Text, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import count_word
from harness.report.tables import half
from harness.report.wording import cell, listed, number

MOST = 40  # rows of the table
SAID = 4  # models of which the text speaks


def sentences(found: Findings) -> list[Text]:
    """The best recipe of each model with its value on other samples, or that there are none."""
    spans: list[Text] = []
    choices = found.effects.choices
    for one in choices[:SAID]:
        spans += [
            f"Of {count_word(one.levels, 'recipe')} of {one.model} the best by "
            f"{in_words(one.chosen_on)} is {recipe(one)}: on {in_words(one.valued_on)} its "
            f"{found.short} is ",
            strong(value(one)),
            ". ",
        ]
    if len(choices) > SAID:
        spans.append(f"Of {count_word(len(choices) - SAID, 'more model')} nothing is said here. ")
    return spans + flattered(found)


def flattered(found: Findings) -> list[Text]:
    """A sentence on models whose recipes have one set of samples; [] where there are none."""
    models = found.effects.flattered
    if not models:
        return []
    who = listed(models) if len(models) <= SAID else count_word(len(models), "model")
    return [on_the_same(f"The recipes of {who}")]


def on_the_same(who: str) -> str:
    """Sentences: `who` ("The recipes of DiT-S/2") were chosen among by the values reported."""
    return (
        f"{who} have no second set of samples in common: the best is chosen on the samples that "
        "are reported, and its value is flattered. A second training seed, or an evaluation with "
        "another sampling seed, would give others. "
    )


def choices_table(found: Findings) -> list[Block]:
    """Per model the recipe that was chosen, its value there, and its value on other samples."""
    choices = found.effects.choices
    if not choices:
        return []
    rows: list[list[str | Cell]] = [
        [one.model, str(one.levels), recipe(one), in_words(one.chosen_on), number(one.flattered),
         in_words(one.valued_on), Cell(value(one), strong=True)]
        for one in choices[:MOST]
    ]  # fmt: skip
    head: list[str | Cell] = ["Model", "recipes", "the best", "chosen on", f"{found.short} there"]
    head += ["valued on", found.short]
    basis = {one.basis for one in choices}
    more = ", of these checkpoints sampled again" if basis == {"checkpoints"} else ""
    more = ", over training seeds" if basis == {"seeds"} else more
    caption: list[Text] = [
        strong("The best of several recipes. "),
        "Chosen by the mean on some samples; its value is of the others, of which the choice knew "
        "nothing. Where it was chosen it is the best of several noisy values, and flattered. "
        "Recipes are compared by the seeds that all of them have; one with too few of those that "
        "others share is not among them. ",
        half(rows, more),
    ]
    if len(choices) > MOST:
        caption.append(f"{len(choices) - MOST:,} more models are in no table. ")
    return [table("choice", "lrllrlr", [head], rows, caption, wide=True, size=7.9, gap=3.4)]


def pointer(found: Findings) -> list[Text]:
    """Where the table is, for the text above it, and what holds of models that are not in it."""
    spans: list[Text] = []
    if found.effects.choices:
        spans += [ref("tab-choice"), " has the best recipe of each model, chosen on other samples "
                  "than those of its value. "]  # fmt: skip
    return spans + flattered(found)


def recipe(one: Choice) -> str:
    """What its label says besides the model."""
    return str(one.level).removeprefix(one.model).strip() or "the default"


def value(one: Choice) -> str:
    """Its value on the other samples, with half its interval."""
    ends = interval(one.value, one.se, one.df) if one.se == one.se else (None, None, None)
    return cell(one.value, *list(ends)[1:])


def in_words(samples: str) -> str:
    """ "training seed 0", "sampling seeds 1, 2" of the names of the records."""
    column, _, seeds = samples.partition(" ")
    name = {"seed": "training seed", "sampling_seed": "sampling seed"}[column]
    return f"{name}{'s' if ',' in seeds else ''} {seeds}"
