"""Choosing rows that may be compared, and averaging over seeds.

Two values compare only if they were measured the same way: same metric, sampler, steps, guidance,
decoder and number of samples (a Fréchet distance depends on it). `Protocol` is that way. And two
trainings are the same configuration, repeated, only if nothing but the seed differs: the recipe
counts, and so does the data.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness import setting_names as names
from harness.analysis.finished import finished
from harness.analysis.remembered import remembered
from harness.analysis.shared_draws import draws_of
from harness.analysis.standard_error import standard_errors

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
FACTS = (
    "family",
    "size",
    "patch_size",
    "tokens",
    "depth",
    "width",
    "heads",
    "params",
    "gflops",
    "gflops_paper",
)


@dataclass(frozen=True)
class Protocol:
    """How a value was measured; the fields are the records' columns (None: null)."""

    sampler: str | None
    sampling_steps: int | None
    eta: float | None
    guidance_scale: float | None
    guidance_channels: int | None
    guidance_low: float | None
    guidance_high: float | None
    clip: bool | None
    sampling_precision: str | None
    decoder: str | None
    samples: int | None
    k: int | None
    split_size: int | None
    ema: float | None = None
    ema_length: float | None = None

    @property
    def guided(self) -> bool:
        """Were the samples drawn with classifier-free guidance (a scale other than 1)?"""
        return self.guidance_scale is not None and self.guidance_scale != 1

    def sentence(self) -> str:
        """For captions: "1,000 samples, 50 ancestral steps, no guidance"."""
        count = "an unknown number of" if self.samples is None else f"{self.samples:,}"
        parts = [f"{count} samples"]
        if self.sampling_steps is not None:
            parts.append(f"{self.sampling_steps} {self.sampler or ''} steps".replace("  ", " "))
        if self.eta:
            parts[-1] += f" with eta {self.eta:g}"
        if self.guidance_scale is not None:
            parts.append(f"guidance {self.guidance_scale:g}" if self.guided else "no guidance")
        if self.guidance_low is not None:
            parts.append(f"at timesteps {self.guidance_low:g} to {self.guidance_high:g} alone")
        if self.clip:
            parts.append("x0 clipped")
        if self.ema is not None:
            parts.append(f"EMA {self.ema:g}")
        if self.ema_length is not None:
            parts.append(f"EMA of length {self.ema_length:g}")
        return ", ".join(parts)

    @property
    def drawn(self) -> Protocol:
        """The samples alone: without what only some metrics have (neighbours, chunks)."""
        return dataclasses.replace(self, k=None, split_size=None)


PROTOCOL = tuple(f.name for f in dataclasses.fields(Protocol))
DRAWN = tuple(c for c in PROTOCOL if c not in ("k", "split_size"))  # of samples, for any metric


def labelled(frame: pd.DataFrame, lengths: bool = True) -> pd.DataFrame:
    """A copy with `label`: the model's name, and of the configuration whatever else varies.

    Rows of one label and seed are of one run: where nothing that is recorded tells two runs apart,
    the beginning of their ids does. Without `lengths`, trainings that differ in nothing but their
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
        own += [names.said(name, _plain(value))] if pd.notna(value) else []


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
        words.append(names.said(column.rpartition(".")[2], _plain(values[0])))
    return ", ".join(words)


def _axes_of_data(frame: pd.DataFrame) -> list[str]:
    """The columns of a study's axes that vary the images, and that no recorded column says."""
    recorded = {f"data.{column}" for column in ("name", *CONFIGURATION)}
    axes = [str(c) for c in frame if str(c).startswith("data.") and c not in recorded]
    return [c for c in axes if frame[c].dropna().astype(str).nunique() > 1]


def _recipe_words(recipes: pd.Series, lengths: bool = True) -> list[list[str]]:
    """The settings of each recipe (JSON, or null: not recorded) that differ among them."""
    read = {r: json.loads(r) for r in recipes.dropna().unique()}
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
            for word in _said(n, recipe.get(n), [r.get(n) for r in read.values()])
        ]
        for text, recipe in read.items()
    }
    return [words.get(r, []) if isinstance(r, str) else [] for r in recipes]


def _said(name: str, value: Any, among: list[Any]) -> list[str]:
    """A setting in words; of a component also its settings that tell it from its namesakes."""
    words = [names.said(name, value)]
    if isinstance(value, dict):
        words += names.apart(value, among)
    return words


def _settings_words(out: pd.DataFrame) -> list[list[str]]:
    """Per row the settings of its objective that tell it from others of the same objective."""
    texts = [(str(o), t if isinstance(t, str) else "{}") for o, t in
             zip(out["objective"], out["objective_settings"], strict=True)]  # fmt: skip
    read = {each: {"name": each[0], **json.loads(each[1])} for each in dict.fromkeys(texts)}
    words = {each: _said("objective", its, list(read.values()))[1:] for each, its in read.items()}
    return [words[each] for each in texts]


@remembered
def _of_samples(metrics: pd.DataFrame, lengths: bool) -> pd.DataFrame:
    """The rows of all metrics of generated samples, labelled among each other."""
    return labelled(metrics[metrics["of"].fillna("samples") == "samples"], lengths)


@remembered
def measured(metrics: pd.DataFrame, metric: str, lengths: bool = True) -> pd.DataFrame:
    """Values of `metric` for generated samples: labelled, finite, one protocol object per row."""
    rows = _of_samples(metrics, lengths)
    rows = rows[rows["metric"] == metric]
    rows = rows[np.isfinite(rows["value"].astype(float)) & rows["gflops"].notna()].copy()
    columns = [[_plain(v) for v in rows[c]] for c in PROTOCOL]
    protocols: Any = [Protocol(*p) for p in zip(*columns, strict=True)]
    rows["protocol"] = pd.Series(protocols, index=rows.index, dtype=object)
    return rows


def averaged(rows: pd.DataFrame, by: tuple[str, ...] = ()) -> pd.DataFrame:
    """Mean over seeds: one row per label and `by`, with `value`, its errors and `seeds`.

    `std`: spread over training seeds (ddof 1), null for a single one. `se`, `se_df`, `basis`: the
    standard error of `value`, its degrees of freedom, and what it speaks of. "seeds": the model;
    the relative spread over seeds is pooled over all rows, so that two seeds of twelve models have
    twelve degrees of freedom. "checkpoints": these checkpoints alone, measured again on other
    samples. Null without a recorded error. `draws` and `influence`, of a single measurement: by
    which values of the same draws are compared (shared_draws). Repeated measurements of one seed
    (several sampling seeds) are averaged first, so that the spread is that of training.
    """
    if not len(rows):
        columns = dict.fromkeys(["label", *by, "value", "std", "seeds", *CONFIGURATION, *FACTS])
        return rows.reindex(columns=[*columns, "se", "se_df", "basis"])
    keys = ["label", *by]
    kept = [c for c in (*CONFIGURATION, *FACTS) if c in rows and c not in keys]
    group = rows.groupby(keys, dropna=False, sort=False).ngroup().rename("group")
    seeds = rows["seed"] if "seed" in rows else pd.Series(0, index=rows.index, name="seed")
    std, df = errors(rows)
    measured_rows = rows.assign(_variance=std**2, _df=df)
    per_seed = measured_rows.groupby([group, seeds], dropna=False).agg(
        value=("value", "mean"),
        variance=("_variance", lambda v: float(v.sum(skipna=False)) / len(v) ** 2),
        df=("_df", "min"),
    )
    by_group = per_seed.groupby(level="group")
    out: Any = by_group["value"].agg(value="mean", std="std", seeds="count")
    out = out.join(_standard_errors(out, by_group["variance"], by_group["df"]))
    if "influence" in rows:  # of one measurement; a mean over several is of no draws in common
        alone = (~group.duplicated(keep=False)).to_numpy(bool)
        moves = rows["influence"].astype(object).where(alone, None)
        rows = rows.assign(draws=draws_of(rows).where(alone, None), influence=moves)
        kept += ["draws", "influence"]
    facts = rows[[*keys, *kept]][~group.duplicated()].set_index(group.drop_duplicates())
    return facts.join(out).sort_values(["gflops", *keys]).reset_index(drop=True)


def _standard_errors(out: pd.DataFrame, variance: Any, df: Any) -> pd.DataFrame:
    """se, se_df and basis of mean values `out` (value, std over seeds, seeds)."""
    many = (out["seeds"] > 1) & (out["value"] != 0)
    free = (out["seeds"] - 1)[many]
    recorded = np.sqrt(variance.agg(lambda v: float(v.sum(skipna=False)) / len(v) ** 2))
    frame = pd.DataFrame({"se": recorded, "se_df": df.agg("min"), "basis": None})
    frame["basis"] = frame["basis"].astype(object)
    frame.loc[frame["se"].notna(), "basis"] = "checkpoints"
    if many.any():
        relative = out["std"][many] / out["value"][many].abs()
        pooled = float(np.sqrt((free * relative**2).sum() / free.sum()))
        frame.loc[many, "se"] = pooled * out["value"][many].abs() / np.sqrt(out["seeds"][many])
        frame.loc[many, "se_df"] = float(free.sum())
        frame.loc[many, "basis"] = "seeds"
    return frame


def errors(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(standard errors, degrees of freedom) of the values, each (rows,); NaN where not known.

    From `se` and `se_df`, which `averaged` gives, else from `std` and `std_df` as records have
    them, read as `std_method` says. Degrees that are not known belong to standard errors taken as
    exact.
    """
    name = "se" if "se" in frame else "std"
    missing = np.full(len(frame), np.nan)
    known, df = (
        frame[c].to_numpy(float, na_value=np.nan) if c in frame else missing
        for c in (name, f"{name}_df")
    )
    return (known if name == "se" else standard_errors(frame)), df


def series(frame: pd.DataFrame, along: str) -> list[tuple[Any, ...]]:
    """Per row what must agree for two models to differ in `along` alone: "size" or "patch_size".

    The other of the two, and family, block, image size, and what the label says besides the model's
    name (the recipe, whatever else varies); of these the columns that the frame has.
    """
    other = "patch_size" if along == "size" else "size"
    columns = [c for c in (other, "family", "block", "image_size") if c in frame]
    keys = [[_plain(v) for v in frame[c]] for c in columns]
    if "label" in frame and "model" in frame:
        pairs = zip(frame["label"], frame["model"], strict=True)
        keys.append([str(label).removeprefix(str(model)) for label, model in pairs])
    return list(zip(*keys, strict=True)) if keys else [()] * len(frame)


def final_protocol(metrics: pd.DataFrame, metric: str) -> tuple[Protocol, int | None] | None:
    """How and at which training step the models are compared: (protocol, step).

    Unguided where anything was measured unguided; then the one that covers the most models (so
    that a half-finished study is compared where its models can be), then the latest step, the
    most samples, the way that was also followed over training, the most sampling steps. The step
    is None for imported checkpoints of which it is not known.
    """
    return _widest(measured(metrics, metric))


def _widest(rows: pd.DataFrame) -> tuple[Protocol, int | None] | None:
    labels: dict[tuple[Protocol, int | None], set[str]] = {}
    steps = [_plain(step) for step in rows["step"]]
    for protocol, step, label in zip(rows["protocol"], steps, rows["label"], strict=True):
        labels.setdefault((protocol, step), set()).add(label)
    followed = Counter(p for p, _ in labels)
    return max(
        labels,
        key=lambda c: (
            *(not c[0].guided, len(labels[c]), c[1] or 0, c[0].samples or 0),
            *(followed[c[0]], c[0].sampling_steps or 0, repr(c[0])),
        ),
        default=None,
    )


def _at(rows: pd.DataFrame, chosen: tuple[Protocol, int | None]) -> pd.DataFrame:
    steps = [_plain(s) for s in rows["step"]]
    return where(rows, [(p, s) == chosen for p, s in zip(rows["protocol"], steps, strict=True)])


def where(rows: pd.DataFrame, kept: list[bool]) -> pd.DataFrame:
    """The rows for which `kept` says so."""
    return rows[np.array(kept, dtype=bool)]  # a list, where empty, would name no columns


def final_rows(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The measured rows behind `final_quality`, one per seed and sampling seed."""
    rows = measured(metrics, metric)
    chosen = _widest(rows)
    return rows if chosen is None else _at(rows, chosen)


def of_the_same_samples(
    metrics: pd.DataFrame, metric: str, protocol: Protocol, step: int | None
) -> pd.DataFrame:
    """Quality by another `metric` of samples that were drawn as `protocol` says, at `step`.

    Columns as `final_quality`. Of several ways to measure it (neighbours k, chunk sizes) the one
    that covers the most models.
    """
    rows = measured(metrics, metric)
    rows = where(rows, [p.drawn == protocol.drawn for p in rows["protocol"]])
    rows = where(rows, [_plain(s) == step for s in rows["step"]])
    chosen = _widest(rows)
    return averaged(rows if chosen is None else _at(rows, chosen), ("step",))


def final_quality(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Quality of every configuration at the compared step, by increasing Gflops.

    Columns: label, step, value, std, seeds and the model's facts. A model that was not measured
    at that step in that way (see `final_protocol`) is absent.
    """
    return averaged(final_rows(metrics, metric), ("step",))


def over_training(
    metrics: pd.DataFrame, metric: str, lengths: bool = True
) -> tuple[pd.DataFrame, Protocol | None]:
    """Quality at every measured step, under the unguided protocol with the most (model, step)s.

    Columns as `final_quality`, with `step` and `train_gflops`, by label and step. Checkpoints of
    which the step is not known (imported ones) are left out. `lengths`: see `labelled`.
    """
    rows = measured(metrics, metric, lengths)
    rows = rows[rows["step"].notna()]
    rows = where(rows, [not p.guided for p in rows["protocol"]])
    if not len(rows):
        return averaged(rows, ("step", "train_gflops")), None
    points = rows.drop_duplicates(["label", "step", "protocol"]).groupby("protocol", sort=False)
    size = points.size()
    best = max(size.index, key=lambda p: (size[p], p.samples or 0, p.sampling_steps or 0, repr(p)))
    out = averaged(where(rows, [p == best for p in rows["protocol"]]), ("step", "train_gflops"))
    return out.sort_values(["gflops", "label", "step"]).reset_index(drop=True), best


def over_finished(metrics: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Protocol | None]:
    """`over_training` of finished checkpoints, which compare at equal training compute.

    Trainings of all lengths are one curve. The same frame where the rate is constant.
    """
    return over_training(metrics[finished(metrics)], metric, lengths=False)


def sampling_sweep_rows(metrics: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Protocol | None]:
    """The measured rows of the widest unguided sweep over sampling steps, one per seed.

    Rows of one training step that differ in the number of steps alone; every label has two step
    counts at least. What harness.analysis.sampling takes.
    """
    rows = measured(metrics, metric)
    rows = where(rows, [not p.guided for p in rows["protocol"]])
    families: dict[tuple[Protocol, int | None], list[int]] = {}
    for i, (protocol, step) in enumerate(zip(rows["protocol"], rows["step"], strict=True)):
        family = dataclasses.replace(protocol, sampling_steps=None)
        families.setdefault((family, _plain(step)), []).append(i)
    sweeps = []
    for (protocol, step), positions in families.items():
        one = rows.iloc[positions]
        # A single step count (the final evaluation's) says nothing of a model's own sweep.
        counts = one.groupby("label")["sampling_steps"].transform("nunique")
        one = one[counts > 1]
        if len(one):
            points = len(one.drop_duplicates(["label", "sampling_steps"]))
            rank = (points, step or 0, protocol.samples or 0, repr(protocol))
            sweeps.append((rank, protocol, one))
    if not sweeps:
        return rows.iloc[:0], None
    _, protocol, one = max(sweeps, key=lambda s: s[0])
    return one, protocol


def sampling_sweep(metrics: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Protocol | None]:
    """`sampling_sweep_rows`, averaged over seeds: quality against sampling steps.

    Columns as `final_quality`, with `sampling_steps`, `sampling_gflops` and `step`. Empty where no
    model has two step counts.
    """
    rows, protocol = sampling_sweep_rows(metrics, metric)
    if protocol is None:
        return averaged(rows, ("sampling_steps", "sampling_gflops")), None
    swept = averaged(rows, ("sampling_steps", "sampling_gflops", "step"))
    return swept.sort_values(["gflops", "label", "sampling_steps"], ignore_index=True), protocol


def drawn_by(rows: pd.DataFrame, *without: str) -> list[tuple[str, int | None, Protocol]]:
    """Per row of `measured`: label, step, and how its samples were drawn, less these fields."""
    blank: Any = dict.fromkeys(without)
    steps = [_plain(step) for step in rows["step"]]
    ways = [dataclasses.replace(p.drawn, **blank) for p in rows["protocol"]]
    return list(zip(rows["label"], steps, ways, strict=True))


def _plain(value: Any) -> Any:
    """A hashable value that equals itself: None for every kind of null, whole floats as int."""
    if value is None or pd.isna(value):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    return value.item() if isinstance(value, np.generic) else value
