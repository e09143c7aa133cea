"""What a trained model is called among others: its name, and whatever else varies.

Two trainings are the same configuration, repeated, only if nothing but the seed differs: the recipe
counts, and so does the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from harness import setting_names as names
from harness.analysis.finished import finished
from harness.analysis.recorded_settings import recorded_settings

# What makes two trained models the same configuration but for the seed.
CONFIGURATION = (
    "model",
    "block",
    "image_size",
    "autoencoder",
    "data",
    "batch_size",
    "learning_rate",
    "objective",
    "objective_settings",
)

AGAINST = (
    "measured_against"  # a column of a report's rows: the reference, where one run has several
)


def labelled(frame: pd.DataFrame, lengths: bool = True) -> pd.DataFrame:
    """A copy with `label`: the model's name, and of the configuration whatever else varies.

    Rows of one label and seed are of one run: where nothing that is recorded tells two runs apart,
    the beginning of their ids does. `AGAINST` is part of the label where there is such a column.
    Without `lengths`, trainings that differ in nothing but their
    length share a label: rows of one label, seed and step are then of one run, those on the
    way to the end of their learning rate apart from those at it.
    """
    out = frame.copy()
    model = out["model"].fillna("unnamed").astype(str)
    words: list[list[str]] = [[] for _ in range(len(out))]
    for column in CONFIGURATION[1:]:
        if column == "objective_settings" and column in out:
            for own, more in zip(words, _settings_words(out), strict=True):
                own += more
        elif column in out and out[column].dropna().nunique() > 1:
            _say(words, out[column], column)
    for own, more in zip(words, _recipe_words(out["recipe"], lengths), strict=True):
        own += more
    for column in _axes_of_data(out):
        _say(words, out[column], column.partition(".")[2])
    if AGAINST in out:
        for own, against in zip(words, out[AGAINST], strict=True):
            own += [str(against)] if isinstance(against, str) else []
    told = [", ".join(own) for own in words]
    out["label"] = [f"{m} {t}".rstrip() for m, t in zip(model, told, strict=True)]
    out["label"] = out["label"].astype(model.dtype)
    of_one = out.groupby("label", dropna=False)["data_sha256"].transform("nunique")
    other = pd.Series([f" data {str(v)[:6]}" for v in out["data_sha256"]], index=out.index)
    out["label"] = out["label"].where(of_one < 2, out["label"] + other)
    one_run = [out["label"], out["seed"]]
    if not lengths and "step" in out:
        one_run += [out["step"], pd.Series(finished(out), index=out.index)]
    of_one = out["run"].groupby(one_run, dropna=False).transform("nunique")
    unlike = set(out.loc[of_one > 1, "label"])
    other = pd.Series([f" run {str(v)[:6]}" for v in out["run"]], index=out.index)
    out["label"] = out["label"].where(~out["label"].isin(unlike), out["label"] + other)
    return out


def _say(words: list[list[str]], values: pd.Series, name: str) -> None:
    """Add each row's value, where it has one, to the row's words."""
    for own, value in zip(words, values, strict=True):
        own += [names.said(name, plain(value))] if pd.notna(value) else []


def data_in_words(part: pd.DataFrame, among: pd.DataFrame) -> str:
    """How the images of `part` differ from others of the rows `among`: "32 px", "channels 1".

    "" where they do not differ, or the part is of several."""
    columns = [c for c in ("data", "image_size", *_axes_of_data(among)) if c in among]
    words = []
    for column in columns:
        if among[column].dropna().nunique() < 2:
            continue
        values = part[column].dropna().unique()
        if len(values) != 1:
            return ""
        words.append(names.said(column.rpartition(".")[2], plain(values[0])))
    return ", ".join(words)


def _axes_of_data(frame: pd.DataFrame) -> list[str]:
    """The columns of a study's axes that vary the images, and that no recorded column says."""
    recorded = {f"data.{column}" for column in ("name", *CONFIGURATION)}
    axes = [str(c) for c in frame if str(c).startswith("data.") and c not in recorded]
    return [c for c in axes if frame[c].dropna().astype(str).nunique() > 1]


def _recipe_words(recipes: pd.Series, lengths: bool = True) -> list[list[str]]:
    """The settings of each recipe (JSON, or null: not recorded) that differ among them."""
    read = {r: recorded_settings(r, "recipe") for r in recipes.dropna().unique()}
    every = list(dict.fromkeys(name for recipe in read.values() for name in recipe))
    varied = [n for n in every if len({repr(r.get(n)) for r in read.values()}) > 1]
    varied = [n for n in varied if n != "objective"]  # has columns of its own
    known = {r.get("diffusion_steps") for r in read.values()} - {None}
    if len(known) < 2 and "diffusion_steps" in varied:  # only objectives without them differ
        varied.remove("diffusion_steps")
    words = {
        text: [
            word
            for n in varied
            if n != "horizon" or (lengths and recipe.get(n) is not None)
            for word in names.said_among(n, recipe.get(n), [r.get(n) for r in read.values()])
        ]
        for text, recipe in read.items()
    }
    return [words.get(r, []) if isinstance(r, str) else [] for r in recipes]


def _settings_words(out: pd.DataFrame) -> list[list[str]]:
    """Per row the settings of its objective that tell it from others of the same objective."""
    texts = [(str(o), t if isinstance(t, str) else "{}") for o, t in
             zip(out["objective"], out["objective_settings"], strict=True)]  # fmt: skip
    read = {
        each: {"name": each[0], **recorded_settings(each[1], "objective_settings")}
        for each in dict.fromkeys(texts)
    }
    words = {each: names.apart(its, read.values()) for each, its in read.items()}
    return [words[each] for each in texts]


def series(frame: pd.DataFrame, along: str) -> list[tuple[Any, ...]]:
    """Per row what must agree for two models to differ in `along` alone: "size" or "patch_size".

    The other of the two, and family, block, image size, and what the label says besides the model's
    name (the recipe, whatever else varies); of these the columns that the frame has.
    """
    other = "patch_size" if along == "size" else "size"
    columns = [c for c in (other, "family", "block", "image_size") if c in frame]
    keys = [[plain(v) for v in frame[c]] for c in columns]
    if "label" in frame and "model" in frame:
        pairs = zip(frame["label"], frame["model"], strict=True)
        keys.append([str(label).removeprefix(str(model)) for label, model in pairs])
    return list(zip(*keys, strict=True)) if keys else [()] * len(frame)


def plain(value: Any) -> Any:
    """A hashable value that equals itself: None for every kind of null, whole floats as int."""
    if value is None or pd.isna(value):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    return value.item() if isinstance(value, np.generic) else value
