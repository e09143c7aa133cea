"""One study's rows, with what the study calls them: label, evaluation, axes as typed columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.store import tables
from harness.store.frames import OfColumns
from harness.store.studies import Index, StageOf, kinds

if TYPE_CHECKING:
    import pandas as pd

# What may differ between two trainings of one configuration by more than their seed.
REPEATED = (
    *("key", "run", "seed", "sample_key", "checkpoint_key", "value", "std", "std_df", "influence"),
)
NAMES = {  # columns that are not recorded -> meaning
    "study": "name of the study",
    "label": "what the study calls the run, without its seed",
    "evaluation": "the study's name of the evaluation; several that share the row: with commas",
    "seeds": "training seeds that were measured so, this one among them",
    "seed_std": "standard deviation of the value over those seeds (ddof 1); null for one",
}


def of_study(frames: dict[str, pd.DataFrame], index: Index) -> dict[str, pd.DataFrame]:
    """The study's own rows, sorted: by Gflops, the axes in their order, step, way of sampling.

    Columns before the recorded ones: `study`, `label`, `evaluation` (of metrics), one per axis of
    the matrix, named as the study names it and with its values' type (an axis that is a column
    already, as seed, is not repeated; null where a row serves several points). Columns after them,
    of metrics: `seeds` and `seed_std`. `attrs` say what each is.
    """
    out = {}
    whole, copies = index, _copies(index)
    index = replace(index, stages={**index.stages, **{k: s for c in copies.values() for k, s in c}})
    for table, frame in frames.items():
        own = frame[frame["key"].isin(whole.stages.keys())].copy()
        if table == "training":
            own = _with_beginnings(own, frame)
        own, recorded = _named_apart(own, copies)
        _name_models(own, table, index)
        own = _with_names(own, table, index).assign(**recorded)
        if table == "metrics":
            own = _with_seeds(own)
        out[table] = _sorted(own, index).reset_index(drop=True)
        out[table].attrs.update(_attributes(frame, out[table], index))
    return out


Copies = dict[str, list[tuple[str, StageOf]]]


def _copies(index: Index) -> Copies:
    """For stages that the study has under several models' names (one imported checkpoint under two
    names): a key for each name, and the stage's part there."""
    found: Copies = {}
    for key, stage in index.stages.items():
        models: dict[str | None, list[int]] = {}
        for run in stage.runs:
            models.setdefault(index.runs[run].model, []).append(run)
        if len(models) > 1:
            found[key] = [
                (f"{key}@{model}", replace(stage, runs=tuple(runs)))
                for model, runs in models.items()
            ]
    return found


def _named_apart(own: pd.DataFrame, copies: Copies) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """The rows with the keys that they are named by, those under several names once for each; and
    the recorded columns, which are put back afterwards."""
    import pandas as pd

    named = own.pop("_named_by") if "_named_by" in own else own["key"]
    own = own.reset_index(drop=True).assign(_named=named.to_numpy())
    twice = own["_named"].isin(copies)
    if twice.any():
        parts = [own[~twice]]
        for _, row in own[twice].iterrows():
            given = copies[row["_named"]]
            part = own.loc[[row.name] * len(given)]
            parts.append(part.assign(_named=[name for name, _ in given]))
        own = pd.concat(parts, ignore_index=True)
    columns = [c for c in ("key", "checkpoint_key") if c in own]
    recorded = {column: own[column] for column in columns}
    own["key"] = own.pop("_named")
    if "checkpoint_key" in own and twice.any():
        own["checkpoint_key"] = [
            f"{checkpoint}@{key.partition('@')[2]}" if "@" in key else checkpoint
            for checkpoint, key in zip(own["checkpoint_key"], own["key"], strict=True)
        ]
    return own, recorded


def _with_beginnings(own: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The study's rows of training, with those that other stages of the same runs left before them.

    A training that was made longer went on from a checkpoint of the shorter one, whose stage is not
    the study's any more: its loss curve would lack its beginning. `_named_by`: the key of the
    study's own stage of that run, which says what the study calls it.
    """
    import pandas as pd

    if own.empty:
        return own
    runs = own.groupby("run", sort=False)
    first, keys = runs["step"].min(), runs["key"].first()
    before = frame[frame["run"].isin(keys.index) & ~frame["key"].isin(set(own["key"]))]
    before = before[before["step"] < before["run"].map(first)]
    before = before.drop_duplicates(["run", "step"])
    if before.empty:
        return own
    named = before.assign(_named_by=before["run"].map(keys))
    return pd.concat([own.assign(_named_by=own["key"]), named])


def _name_models(frame: pd.DataFrame, table: str, index: Index) -> None:
    """Call models what this study calls them, in place.

    A checkpoint that another study trained is recorded under that study's name for the same
    numbers ("DiT-12x384x6/2" for "DiT-S/2", or an imported one's first name).
    """
    points = {
        key: index.runs[stage.runs[0]]
        for key, stage in index.stages.items()
        if stage.kind == "train" and stage.runs
    }
    own = frame["checkpoint_key" if table == "metrics" else "key"].map(points)
    known = own.notna()
    if not known.any():
        return
    for name in ("model", "size", "family"):
        values = own[known].map(lambda point, name=name: getattr(point, name))
        if name == "family":
            values = values.dropna()
        frame.loc[values.index, name] = values.astype("string")


def _with_names(frame: pd.DataFrame, table: str, index: Index) -> pd.DataFrame:
    import pandas as pd

    keys = frame["key"]
    distinct = list(keys.unique())
    columns: dict[str, pd.Series] = {
        "study": pd.Series(index.study, index=frame.index, dtype="string"),
        "label": keys.map({key: index.configuration(key) for key in distinct}).astype("string"),
    }
    if table == "metrics":
        evaluations = {key: ", ".join(index.stages[key].evaluations) or None for key in distinct}
        columns["evaluation"] = keys.map(evaluations).astype("string")
    for axis in index.axes:
        if axis not in frame:
            kind = kinds([run.axes.get(axis) for run in index.runs])
            values = [index.axis(key, axis) for key in distinct]
            if kind == "string":
                values = [None if value is None else str(value) for value in values]
            typed = pd.Series(values, index=distinct, dtype=_DTYPES[kind])
            columns[axis] = typed.reindex(keys).set_axis(frame.index)
    return pd.concat([pd.DataFrame(columns, index=frame.index), frame], axis=1)


_DTYPES: dict[str, Any] = {
    "string": "string",
    "int64": "Int64",
    "float64": "Float64",
    "bool": "boolean",
}


def _with_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """`seeds` and `seed_std`: over rows that differ in nothing recorded but their seed."""
    volatile = {c.name for c in tables.METRICS if c.volatile}
    beside = {"floor", "floor_images", "ceiling"}
    left_out = {*REPEATED, *volatile, *beside, "label", "harness", "torch"}
    same = [c for c in frame if c not in left_out and frame[c].nunique(dropna=False) > 1]
    group = frame.groupby(["metric", *same], dropna=False, sort=False).ngroup()
    per_seed = frame["value"].groupby([group, frame["seed"]], dropna=False).mean()
    level = per_seed.groupby(level=0)
    seeds = level.count().where(level.count() > 0)
    return frame.assign(
        seeds=group.map(seeds).astype("Int64"), seed_std=group.map(level.std()).astype("float64")
    )


def _sorted(frame: pd.DataFrame, index: Index) -> pd.DataFrame:
    """Numbers as numbers; texts of an axis in the study's own order."""
    order: dict[str, Any] = {}
    for axis in index.axes:
        given = [run.axes.get(axis) for run in index.runs]
        if kinds(given) == "string":
            order[axis] = {str(v): i for i, v in reversed(list(enumerate(given)))}
    by = ["gflops", *index.axes, "step", "sampling_steps", "guidance_scale", "metric", "key"]
    by = [column for column in dict.fromkeys(by) if column in frame]
    return frame.sort_values(
        by, kind="stable", key=lambda c: c.map(order[c.name]) if c.name in order else c
    )


def _attributes(before: pd.DataFrame, frame: pd.DataFrame, index: Index) -> dict[str, Any]:
    meaning = {name: text for name, text in NAMES.items() if name in frame}
    meaning |= {axis: "axis of the study's matrix" for axis in index.axes if axis in frame}
    attrs: dict[str, Any] = {str(name): value for name, value in before.attrs.items()}
    return {
        **attrs,
        "study": index.study,
        "profile": index.profile,
        "axes": list(index.axes),
        "meaning": OfColumns({**meaning, **attrs.get("meaning", {})}),
    }
