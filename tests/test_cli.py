"""The command line: quick to start, nothing touched by looking, errors a person can use."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import re
import resource
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_study import TINY
from verbs import Said, stages, tried

from harness import __main__, cli
from harness.errors import BadInput, HarnessError, Missing

SCALING = str(Path("studies/scaling.yaml").resolve())


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["plan", SCALING], ["status", SCALING], ["results", SCALING, "--csv"]],
    ids=["help", "plan", "status", "results"],
)
def test_looking_does_not_import_torch(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys; from harness.cli import main\n"
        f"code = main({arguments!r})\n"
        "assert code == 0, code\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_planning_several_seeds_imports_nothing_that_computes(tmp_path: Path) -> None:
    arguments = ["plan", SCALING, "--set", "matrix.axes.seed=[0, 1]"]
    code = (
        "import sys; from harness.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        "print(*{'torch', 'scipy', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "can show (2 seeds" in done.stdout
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["--help", "plan", "status"])
def test_looking_starts_in_under_a_second(tmp_path: Path, verb: str) -> None:
    arguments = [verb] if verb == "--help" else [verb, SCALING]
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # processor time, because other processes share this machine
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if took[-1] < 1:
            return
    raise AssertionError(f"{verb} took {took} s")


@pytest.mark.parametrize("word", ["plan", "status", "results", "run --dry-run"])
def test_looking_creates_nothing(study: Path, verb: Said, word: str) -> None:
    first, *options = word.split()
    code, said = verb(first, "tiny.yaml", *options)
    assert code == 0, said
    assert sorted(p.name for p in study.parent.iterdir()) == ["tiny.yaml"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["plan", "tiny.yaml", "--profile", "lap"], "unknown profile 'lap'"),
        (["run", "tiny.yaml", "--set", "train.stepz=3"], "did you mean 'steps'?"),
        (["run", "tiny.yaml", "--only", "nothing-like-it"], "no stage matches it"),
        (["logs", "nothing-like-it", "tiny.yaml"], "no stage of tiny matches"),
    ],
)
def test_bad_usage_is_told_in_one_line_and_exits_2(
    verb: Said, arguments: list[str], expected: str
) -> None:
    code, said = verb(*arguments)
    assert code == 2 and expected in said
    assert all(line.startswith("error: ") for line in said.splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rnu", "tiny.yaml"), "there is no verb 'rnu' (did you mean 'run'?)"),
        (("fly",), "there is no verb 'fly'; verbs: run, plan, "),
        ((), "run a study: everything that is not done yet"),
        (("plan", "tiny.yaml", "--proflie", "x"), "(did you mean '--profile'?)"),
        (("plan", "tiny.yaml", "--wrokers=3"), "not understood: --wrokers=3"),
        (("plan", "tiny.yaml", "surplus"), "not understood: surplus"),
        (("status",), "the following arguments are required: STUDY"),
        (("plan", "--hlep"), "not understood: --hlep (did you mean '--help'?)"),
        (("plan", "--resluts=x"), "not understood: --resluts=x (did you mean '--results'?)"),
        (("retry", "tiny.yaml", "train"), "(a stage is given as --stage 'train')"),
        (("--plan",), "not understood: --plan (did you mean 'plan'?)"),
        (("--verson",), "not understood: --verson (did you mean '--version'?)"),
        (("--results", "x", "plan"), "--results (a verb's options stand behind it)"),
        (("plan", "tiny.yaml", "--resul", "x"), "--resul (write --results: options are not"),
        (("run", "--re", "x"), "--re (write --results or --report or --remake: options are not"),
        (("--vers",), "not understood: --vers (write --version: options are not shortened)"),
        (("--profile=x", "plan", "tiny.yaml"), "--profile=x (a verb's options stand behind it)"),
    ],
)
def test_a_usage_error_says_what_is_near_and_the_verbs_own_usage(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    out, text = capsys.readouterr()
    assert said in text and not out
    own = f" {words[0]}" if words and words[0] in cli.VERBS else ""
    assert text.startswith(f"usage: python -m harness{own} [")


@pytest.mark.slow
def test_no_option_of_any_verb_may_be_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    """A later version may have another option that begins so: a script would change its meaning."""
    (verbs,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(verbs.choices) == {*cli.VERBS}
    tried = 0
    for verb, sub in verbs.choices.items():
        known = {name for name in sub._option_string_actions if name.startswith("--")}
        assert known and not sub.allow_abbrev
        for name in known:
            short = name[:-1]
            if short not in known and short != "--":
                tried += 1
                assert cli.main([verb, "a", "b", short, "1"]) == 2
                _, _, written = capsys.readouterr().err.partition(f"not understood: {short} (write")
                assert f" {name}" in written
    assert tried > 100


def test_options_may_stand_between_the_words(verb: Said, study: Path) -> None:
    for words in (
        ["cancel", "tiny.yaml", "--profile", "laptop", "train"],
        ["cancel", "--results", "elsewhere", "tiny.yaml", "train", "--profile", "laptop", "sample"],
    ):
        code, said = verb(*words)
        assert code == 0 and said.startswith("none of these stages is running\n")
    tried(study.parent / "results", stages(study, "train")[0], "step 1\nstep 2\n")
    code, said = verb("logs", "train", "--lines", "1", "tiny.yaml")
    assert code == 0 and "step 2" in said and "step 1" not in said
    code, said = verb("cancel", "tiny.yaml", "--profil", "x", "train", "--bogus")
    assert code == 2 and "--profil --bogus" in said


@pytest.mark.parametrize("word", ["plan", "status", "results", "run"])
def test_results_that_are_no_folder_are_named(word: str, verb: Said, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, why in (("file", "is a file"), ("link", "is a link to")):
        code, said = verb(word, "tiny.yaml", "--results", str(tmp_path / name))
        assert code == 2 and f"--results {tmp_path / name} {why}" in said, said


@pytest.mark.parametrize(
    ("word", "option"),
    [
        *(("plan", "--results"), ("run", "--results"), ("du", "--results"), ("import", "--name")),
        *(("report", "--report"), ("report", "--figure"), ("run", "--profile")),
    ],
)
@pytest.mark.parametrize("value", ["", " "])
def test_an_option_that_is_given_empty_is_refused(
    value: str, word: str, option: str, verb: Said, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    here = sorted(Path().iterdir())
    code, said = verb(word, *([] if word == "du" else ["tiny.yaml"]), option, value)
    assert code == 2 and f"{option} {value!r}: it is empty (a variable of a shell" in said, said
    assert sorted(Path().iterdir()) == here


def test_a_results_folder_that_is_there_or_not_yet_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for given in (None, str(tmp_path), str(tmp_path / "link"), str(tmp_path / "absent")):
        cli.check_results(given)


def test_a_results_folder_that_is_closed_to_this_user_is_named_with_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user's with umask 077; root, who runs the tests of CI, may read everything."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(Path, "owner", lambda path: {}["no name for it here"])
    with pytest.raises(BadInput, match=rf"not read {tmp_path}, which belongs to user \d+: .*g\+rX"):
        cli.check_results(str(tmp_path))
    cli.check_results(str(tmp_path / "absent"))


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (BadInput("one\ntwo\n  copy this"), 2, "error: one\nerror: two\n  copy this\n"),
        (Missing("no weights"), 2, "error: no weights\n"),
        (HarnessError("it failed"), 2, "error: it failed\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        *(
            (OSError(number, said, "results/records"), 2, f"error: results/records: {said}\n")
            for number, said in ((errno.EACCES, "Permission denied"), (errno.EIO, "I/O error"))
        ),
    ],
)
def test_an_error_is_its_message_and_an_exit_code(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_: argparse.Namespace) -> int:
        raise raised

    monkeypatch.setattr(cli, "parse", lambda given: SimpleNamespace(run=run))
    with warnings.catch_warnings():
        assert cli.main([]) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("bug", [ZeroDivisionError(), FileNotFoundError(2, "not there", "x")])
def test_a_bug_shows_its_traceback(bug: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: argparse.Namespace) -> int:
        raise bug

    monkeypatch.setattr(cli, "parse", lambda given: SimpleNamespace(run=run))
    with warnings.catch_warnings(), pytest.raises(type(bug)):
        cli.main([])


def test_every_verb_has_a_module_and_every_option_says_what_it_does() -> None:
    (verbs,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert list(verbs.choices) == list(cli.VERBS)
    silent = [
        f"{verb} {action.option_strings or action.dest}"
        for verb, sub in verbs.choices.items()
        for action in sub._actions
        if not action.help
    ]
    assert not silent


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("PLAN x.yaml", "there is no verb 'PLAN' (did you mean 'plan'?)"),
        ("run x.yaml --workers two", "argument --workers: 'two' is not a whole number"),
        ("run x.yaml --workers 1.5", "argument --workers: '1.5' is not a whole number"),
        ("report x.yaml --format ptf", "--format: 'ptf' (did you mean 'pdf'?); allowed: pdf, html"),
        ("prune x.yaml --kind trian", "'trian' (did you mean 'train'?); allowed: sample, train"),
    ],
)
def test_a_mistyped_word_is_told_in_plain_ones(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words.split()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("words", "said"), [("--version", "harness "), ("help", "VERB ...")])
def test_version_and_help_are_told(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([words]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("plan tyni.yaml", "tyni.yaml: no such file (did you mean 'tiny.yaml'?)"),
        ("plan TINY.yaml", "TINY.yaml: no such file (did you mean 'tiny.yaml'?)"),
        ("plan tiny.yml", "tiny.yml: no such file (did you mean 'tiny.yaml'?)"),
        ("plan far.yaml", "far.yaml: no such file\n"),
        (
            "plan tiny.yaml --only trian",
            "--only trian: no stage matches it (did you mean 'train'?)",
        ),
        ("components metrics", "no kind of component 'metrics' (did you mean 'metric'?)"),
    ],
)
def test_a_mistyped_name_has_the_nearest_beside_it(
    words: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    assert cli.main(words.split()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_what_a_finished_verb_leaves_is_not_gone_through_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cli, "main", lambda: 3)
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "mine")
    monkeypatch.setitem(sys.modules, "torch", sys)  # as if it were loaded: these tests need none
    gc.unfreeze()  # what conftest.py froze
    assert gc.get_freeze_count() == 0
    try:
        assert __main__.main() == 3
        assert gc.get_freeze_count() == 0, "torch is loaded here, and triton calls it a leak"
        with monkeypatch.context() as light:
            light.delitem(sys.modules, "torch", raising=False)
            assert __main__.main() == 3
        assert gc.get_freeze_count() > 0
        assert os.environ["PYDANTIC_DISABLE_PLUGINS"] == "mine"  # what somebody said stands
    finally:
        gc.enable()
        gc.freeze()


@pytest.mark.slow
def test_every_default_is_written_in_one_way() -> None:
    """As "(default: 3)": "(3)" and "(default 3)" were read as well."""
    (verbs,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    wrong = [
        (verb, action.help)
        for verb, parser in verbs.choices.items()
        for action in parser._actions
        if re.search(r"\(default |\((?:\d[\d.,]*|cpu|True|False)\)$", action.help or "")
    ]
    assert not wrong


@pytest.mark.parametrize("arguments", ["plan scaling", ["plan", 5]])
def test_arguments_that_are_no_list_of_words_are_told(arguments: object) -> None:
    """Of a text each letter was taken for a word."""
    with pytest.raises(BadInput, match=r'give a list of words, as \["plan", "scaling"\]'):
        cli.main(arguments)  # type: ignore[arg-type]


def test_the_warnings_of_a_notebook_stay_as_they_were() -> None:
    before = warnings.showwarning, list(warnings.filters)
    assert cli.main(["results", "--results", "nowhere"]) == 2
    assert (warnings.showwarning, list(warnings.filters)) == before
