"""Keys: the same for what makes no difference, another for what does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.plan import keys, make_plan
from harness.plan.stages import STAGE_SETTINGS
from harness.spec import load_study

STUDY: dict[str, Any] = {
    "study": "one",
    "title": "t",
    "seed": 0,
    "data": {"name": "glyphs", "image_size": 8, "channels": 1, "train_images": 100},
    "autoencoder": {"name": "identity"},
    "diffusion": {"steps": 1000},
    "model": {"family": "DiT-micro", "size": "S", "patch_size": 4},
    "train": {"steps": 20, "milestones": [10, 20], "batch_size": 8, "learning_rate": 0.001},
    "reference": {
        "extractor": "glyphs-cnn",
        "images": 50,
        "floor_images": 10,
        "statistics": "data/some.npz",
    },
    "evaluations": {
        "final": {
            "at": "milestones",
            "sampling_steps": 4,
            "samples": 10,
            "split_size": 10,
            "sampler": "ddim",
        }
    },
    "dispatch": {"executor": "local", "device": "cpu"},
    "profiles": {"laptop": {}},
}


def plan_of(folder: Path, study: dict[str, Any], profile: str | None = None) -> dict[str, str]:
    """{stage label: key} of a study given as data."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    plan = make_plan(load_study(path, profile))
    return {stage.label: key for key, stage in plan.stages.items()}


def changed(study: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(study))
    at = copy
    *parents, leaf = dotted.split(".")
    for parent in parents:
        at = at.setdefault(parent, {})
    at[leaf] = value
    return copy


# What says where or how fast, never what comes out.
IRRELEVANT = {
    "study": ["two", "another-name"],
    "title": ["other"],
    "about": ["words"],
    "data.path": ["/elsewhere", "relative"],
    "data.max_corrupt": [5],
    "autoencoder.weights": ["/weights"],
    "reference.extractor_weights": ["/w"],
    "reference.statistics": ["/elsewhere/some.npz"],
    "train.batch_per_device": [1, 2, 4],
    "train.compile": [True],
    "train.checkpointing": [True],
    "train.log_every": [1, 7],
    "train.checkpoint_minutes": [0.5],
    "train.checkpoint_every": [3],
    "train.keep_checkpoints": [5],
    "train.fsdp": [True],
    "train.tensorboard": [True],
    "dispatch.rendezvous_minutes": [1.5],
    "evaluations.final.batch_size": [1, 3],
    "dispatch.device": ["auto", "cuda"],
    "dispatch.workers": [1, 5],
    "dispatch.threads": [1, 2],
    "dispatch.executor": ["slurm"],
    "dispatch.slurm.partition": ["gpu"],
    "report.sections": [["models"]],
}

# What changes an output, and the kinds of stages whose keys must all change with it.
DOWNSTREAM_OF_DATA = {"encode", "train", "sample", "evaluate"}
TRAINING = {"train", "sample", "evaluate"}
REFERENCE = {"reference", "floor", "ceiling", "evaluate"}
MEASURING = {"floor", "ceiling", "evaluate"}
RELEVANT = {
    "seed": (1, TRAINING),
    "data.train_images": (101, DOWNSTREAM_OF_DATA),
    "data.image_size": (16, DOWNSTREAM_OF_DATA | {"complexity", "reference", "floor", "ceiling"}),
    "data.channels": (3, DOWNSTREAM_OF_DATA | {"complexity", "reference", "floor", "ceiling"}),
    "data.num_classes": (9, DOWNSTREAM_OF_DATA | {"complexity", "reference", "floor", "ceiling"}),
    "data.seed": (1, DOWNSTREAM_OF_DATA | {"reference", "floor", "ceiling"}),
    "data.fingerprint": ("ab", DOWNSTREAM_OF_DATA | {"reference", "floor", "ceiling"}),
    "data.flip": (True, TRAINING),
    "autoencoder.sha256": ("ab", DOWNSTREAM_OF_DATA | {"ceiling"}),
    "diffusion.steps": (500, TRAINING),
    "model.size": ("B", TRAINING | {"complexity"}),
    "model.patch_size": (2, TRAINING | {"complexity"}),
    "model.block": ("adaln", TRAINING | {"complexity"}),
    "train.batch_size": (4, TRAINING),
    "train.learning_rate": (0.002, TRAINING),
    "train.weight_decay": (0.1, TRAINING),
    "train.betas": ([0.9, 0.99], TRAINING),
    "train.ema": (0.9, TRAINING),
    "train.ema_snapshots": ({"every": 5, "lengths": [0.05, 0.1]}, TRAINING),
    "train.label_dropout": (0.2, TRAINING),
    "train.grad_clip": (1.0, TRAINING),
    "train.precision": ("bf16", TRAINING),
    "train.tf32": (True, TRAINING),
    "reference.extractor": ("dinov2", REFERENCE),
    "reference.extractor_sha256": ("ab", REFERENCE),
    "reference.extractor_images": (99, REFERENCE),
    "reference.extractor_steps": (99, REFERENCE),
    "reference.images": (51, REFERENCE),
    "reference.recall_images": (9, REFERENCE),
    "reference.floor_images": (11, REFERENCE),
    "reference.statistics_sha256": ("ab", REFERENCE),
    "reference.statistics": ("data/other.npz", REFERENCE),
    "reference.seed": (1, REFERENCE),
    "evaluations.final.sampler": ("ancestral", {"sample", "evaluate"}),
    "evaluations.final.sampling_steps": (5, {"sample", "evaluate"}),
    "evaluations.final.eta": (0.5, {"sample", "evaluate"}),
    "evaluations.final.clip": (True, {"sample", "evaluate"}),
    "evaluations.final.guidance": ({"scale": 1.5, "channels": 1}, {"sample", "evaluate"}),
    "evaluations.final.samples": (20, {"ceiling", "sample", "evaluate"}),
    "evaluations.final.seed": (1, {"ceiling", "sample", "evaluate"}),
    "evaluations.final.labels": ("data", {"sample", "evaluate"}),
    "evaluations.final.decoder": ("ft-mse", {"ceiling", "sample", "evaluate"}),
    "evaluations.final.precision": ("bf16", {"sample", "evaluate"}),
    "evaluations.final.tf32": (True, {"sample", "evaluate"}),
    "evaluations.final.keep_images": ("none", {"sample", "evaluate"}),
    "evaluations.final.metrics": (["fd"], MEASURING),
    "evaluations.final.k": (4, MEASURING),
    "evaluations.final.split_size": (5, MEASURING),
    "evaluations.final.subsets": (3, MEASURING),
    "evaluations.final.floor_images": (7, {"floor"}),
}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_keys_ignore_names_places_and_field_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    study = STUDY
    for dotted in data.draw(st.sets(st.sampled_from(sorted(IRRELEVANT)), max_size=6)):
        study = changed(study, dotted, data.draw(st.sampled_from(IRRELEVANT[dotted])))
    order = data.draw(st.permutations(list(study)))
    study = {name: study[name] for name in order}
    study["train"] = {
        name: study["train"][name] for name in data.draw(st.permutations(list(study["train"])))
    }
    expected = set(plan_of(folder, STUDY).values())
    assert set(plan_of(folder, study).values()) == expected


def test_keys_ignore_which_profile_said_it(tmp_path: Path) -> None:
    moved = changed(STUDY, "profiles", {"elsewhere": {"train": STUDY["train"]}})
    moved["train"] = {**STUDY["train"], "steps": 999, "milestones": []}
    assert plan_of(tmp_path, moved, "elsewhere") == plan_of(tmp_path, STUDY)


@pytest.mark.parametrize("dotted", sorted(RELEVANT))
def test_keys_change_with_every_setting_that_changes_the_output(
    tmp_path: Path, dotted: str
) -> None:
    value, kinds = RELEVANT[dotted]
    path = tmp_path / "study.yaml"
    study = STUDY
    if dotted == "evaluations.final.decoder":  # the identity has one alone
        for field, needed in (("autoencoder.name", "sd-vae"), ("data.channels", 3)):
            study = changed(study, field, needed)
        study = changed(study, "data.image_size", 32)
    if dotted == "reference.extractor":  # one that needs no embedded set
        study = changed(study, dotted, "clip")
        study = changed(study, "evaluations.final.metrics", ["fd"])

    def by_kind(study: dict[str, Any]) -> dict[str, set[str]]:
        path.write_text(yaml.safe_dump(study))
        found: dict[str, set[str]] = {}
        for key, stage in make_plan(load_study(path)).stages.items():
            found.setdefault(stage.kind, set()).add(key)
        return found

    before, after = by_kind(study), by_kind(changed(study, dotted, value))
    for kind, keys_before in before.items():
        if kind in kinds:
            assert not keys_before & after[kind], f"{kind} did not change with {dotted}"
        else:
            assert keys_before == after[kind], f"{kind} changed with {dotted}"


def test_every_field_of_the_schema_is_known_to_be_relevant_or_not() -> None:
    """A new setting must be put into one of the tables above."""
    from harness.spec import schema

    sections = {
        "data": schema.DataSettings,
        "autoencoder": schema.AutoencoderSettings,
        "diffusion": schema.DiffusionSettings,
        "train": schema.TrainSettings,
        "reference": schema.ReferenceSettings,
        "evaluations.final": schema.EvaluationSettings,
    }
    decided_elsewhere = {
        "data.name",  # goes with the source and the extractor; see the next test
        "data.source",
        "autoencoder.name",
        "autoencoder.reconstructions",  # floors through one that is not exact: test_reconstruction
        "autoencoder.decoder",  # the default of evaluations.final.decoder
        "train.steps",  # which checkpoints there are: test_plan
        "train.milestones",
        "evaluations.final.at",
        "evaluations.final.ema",  # one that train.ema keeps: test_averages_asked
        "evaluations.final.ema_length",
        "evaluations.final.reference",  # stages beside ours: test_second_reference
        "train.optimizer",  # components: test_later_keys
        "train.schedule",
    }
    known = {*RELEVANT, *IRRELEVANT, *OF_FILES, *decided_elsewhere}
    for section, kind in sections.items():
        for name in kind.model_fields:
            assert f"{section}.{name}" in known, f"{section}.{name}: does it change an output?"


def test_other_data_give_other_keys(tmp_path: Path) -> None:
    other = changed(STUDY, "data.name", "digits")
    other = changed(other, "reference.extractor", "digits-cnn")
    same = set(plan_of(tmp_path, other).values()) & set(plan_of(tmp_path, STUDY).values())
    plan = make_plan(load_study(tmp_path / "study.yaml"))
    assert {plan.stages[k].kind for k in same} <= {"complexity"}


def test_a_stages_version_is_part_of_its_key() -> None:
    assert keys.stage_key("train", "{}", {}, 1) != keys.stage_key("train", "{}", {}, 2)


def test_the_text_made_by_hand_is_the_canonical_json(tmp_path: Path) -> None:
    plan_of(tmp_path, STUDY)
    plan = make_plan(load_study(tmp_path / "study.yaml"))
    for stage in plan.stages.values():
        text = keys.stage_text(stage.kind, stage.settings, stage.inputs, keys.VERSIONS[stage.kind])
        assert text == keys.canonical(json.loads(text))
        assert stage.key == keys.stage_key(stage.kind, stage.settings, stage.inputs)


def as_written(read: Any, written: Any) -> Any:
    """Without the fields of a part that came later and are at their default."""
    if not isinstance(written, dict):
        return read
    assert not any(read[k] for k in read.keys() - written.keys())  # None or False
    return {k: as_written(read[k], v) for k, v in written.items()}


def test_every_stage_can_read_back_its_settings(tmp_path: Path) -> None:
    plan_of(tmp_path, STUDY)
    plan = make_plan(load_study(tmp_path / "study.yaml"))
    for stage in plan.stages.values():
        read = STAGE_SETTINGS[stage.kind].model_validate_json(stage.settings)
        whole, written = read.model_dump(mode="json"), json.loads(stage.settings)
        again = {k: as_written(whole[k], v) for k, v in written.items()}
        assert keys.canonical(again) == stage.settings
        for name in whole.keys() - written.keys():  # came later, at their defaults: not in old keys
            assert whole[name] == type(read).model_fields[name].default


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text("0123456789abcdef", min_size=4)),
    st.sampled_from(sorted(keys.VERSIONS)),
)
def test_a_key_maker_makes_the_same_keys(inputs: dict[str, str], kind: str) -> None:
    roles = tuple(sorted(inputs))
    maker = keys.KeyMaker(kind, '{"x":1}', roles)
    assert maker(*(inputs[r] for r in roles)) == keys.stage_key(kind, '{"x":1}', inputs)


def test_two_names_of_the_same_architecture_share_everything(tmp_path: Path) -> None:
    custom = changed(STUDY, "model", {"depth": 2, "width": 32, "heads": 2, "patch_size": 4})
    named = plan_of(tmp_path, STUDY)
    assert set(plan_of(tmp_path, custom).values()) == set(named.values())


def test_each_way_of_guiding_has_its_key_and_no_guidance_has_one(tmp_path: Path) -> None:
    guidance = [
        {"scale": 1.0},
        {"scale": 1.5, "channels": 1},
        {"scale": 1.5, "channels": None},
        {"scale": 1.5, "channels": 1, "interval": [100, 900]},
        {"scale": 1.5, "channels": 1, "interval": [100, 800]},
    ]
    unguided = [{"scale": 1.0, "channels": None}, {"scale": 1.0, "interval": [1, 2]}]

    def drawn(guidance: list[dict[str, Any]]) -> set[str]:
        plan_of(tmp_path, changed(STUDY, "evaluations.final.guidance", guidance))
        plan = make_plan(load_study(tmp_path / "study.yaml"))
        return {s.key for s in plan.stages.values() if s.kind == "sample"}

    assert len(drawn(guidance)) == len(guidance) * len(drawn([{"scale": 1.0}]))
    assert drawn(guidance + unguided) == drawn(guidance)


def test_keys_of_recorded_results_stand() -> None:
    """Keys as first landed: where one changes, work that people have done is done again.

    A version in keys.VERSIONS that is raised changes them on purpose, and then this table.
    """
    plan = make_plan(load_study("studies/scaling.yaml", "imagenet256"))
    first = {s.kind: s.key[:16] for s in reversed(plan.stages.values())}
    assert first == {
        "complexity": "31e078145fa05cf9",
        "encode": "ce8039fc909c4b79",
        "reference": "e00c9b29ad5fc565",
        "train": "8a3d63e6cb6cc4d1",
        "sample": "d3d709e67666bd2f",
        "evaluate": "3604b0d568a2c28f",
        "ceiling": "1a51c947eea8ef2a",
    }


def reference_key(folder: Path, data: dict[str, Any], **reference: Any) -> str:
    study = changed(STUDY, "data", {**STUDY["data"], **data})
    study["reference"] = {"extractor": "inception-2015", **reference}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return next(k for k, s in make_plan(load_study(path)).stages.items() if s.kind == "reference")


OF_FILES = ("data.held_out", "reference.held_out")  # of images that lie on disk


def test_what_is_held_out_is_in_the_keys(tmp_path: Path) -> None:
    files = {"name": "mine", "source": "image-folder", "path": "x", "num_classes": 4}
    study = changed(STUDY, "data", {**STUDY["data"], **files})
    study["reference"] = {"extractor": "inception-2015"}
    plain = plan_of(tmp_path, study)
    share = plan_of(tmp_path, changed(study, "data.held_out", 0.1))
    kinds = {label.split()[0] for label in plain if plain[label] != share[label]}
    assert kinds == {*DOWNSTREAM_OF_DATA, "reference", "ceiling"}
    of_it = plan_of(
        tmp_path, changed(changed(study, "data.held_out", 0.1), "reference.held_out", True)
    )
    assert {label.split()[0] for label in of_it if of_it[label] != share[label]} == {
        "reference",
        "ceiling",
        "evaluate",
    }
    folder = plan_of(tmp_path, changed(study, "data.held_out", "elsewhere/held"))
    assert {label.split()[0] for label in folder if folder[label] != plain[label]} == {
        "reference",
        "ceiling",
        "evaluate",
    }


def test_references_of_other_files_or_of_images_never_share_a_key(tmp_path: Path) -> None:
    """A corrected path would otherwise find everything done, with the wrong file's numbers."""
    files = {"name": "imagenet", "source": "image-folder", "path": "x", "num_classes": 1000}
    ours = [
        reference_key(tmp_path, files),  # made of the images
        reference_key(tmp_path, files, images=50_000),
        reference_key(tmp_path, files, statistics="VIRTUAL_imagenet256_labeled.npz"),
        reference_key(tmp_path, files, statistics="mine.npz"),
        reference_key(tmp_path, files, statistics="theirs.npz"),
        reference_key(tmp_path, files, statistics="mine.npz", statistics_sha256="ab"),
        reference_key(tmp_path, files, extractor="inception-custom", extractor_weights="a.pt"),
        reference_key(tmp_path, files, extractor="inception-custom", extractor_weights="b.pt"),
    ]
    assert len(set(ours)) == len(ours)
    moved = reference_key(tmp_path, files, statistics="/data/theirs.npz")
    assert moved == ours[4]
    known = reference_key(tmp_path, files, statistics="renamed.npz", statistics_sha256="ab")
    assert known == ours[5]


def test_equal_numbers_written_in_other_ways_have_one_key(tmp_path: Path) -> None:
    gray = {"channels": 1}
    for dotted, one, other in (
        ("train.learning_rate", 1, 1.0),
        ("train.weight_decay", 0.0, -0.0),
        ("train.weight_decay", 0, -0.0),
        ("evaluations.final.eta", 0, -0.0),
        ("evaluations.final.guidance", {**gray, "scale": 2}, {**gray, "scale": 2.0}),
        ("evaluations.final.guidance", {**gray, "scale": 0}, {**gray, "scale": -0.0}),
        ("train.betas", [0, 0.9], [0.0, 0.9]),
    ):
        texts = [plan_of(tmp_path, changed(STUDY, dotted, value)) for value in (one, other)]
        assert set(texts[0].values()) == set(texts[1].values()), dotted


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_has_not_is_in_no_key(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        keys.canonical({"rate": number})


@pytest.mark.parametrize("given_keys", [("a" * 64,), ("a" * 64, "b" * 64, "c" * 64)])
def test_a_key_is_made_of_as_many_inputs_as_it_has_roles(given_keys: tuple[str, ...]) -> None:
    """One too few would give a key that no other stage has, and that says nothing."""
    maker = keys.KeyMaker("evaluate", "{}", ("reference", "samples"))
    with pytest.raises(ValueError, match="zip"):
        maker(*given_keys)


def test_a_trajectory_is_the_run_without_its_length() -> None:
    text, inputs = '{"rate":0.1,"step":40}', {"data": "d" * 64}
    assert keys.trajectory(text, inputs) == (keys.run_id("d" * 64, '{"rate":0.1}'), 40)
    longer = keys.trajectory('{"rate":0.1,"step":80}', inputs)
    assert longer == (keys.trajectory(text, inputs)[0], 80)
    with pytest.raises(KeyError):
        keys.trajectory(text, {})
