"""What stands in a batch's script, read as sbatch and as a shell read it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from harness.dispatch.slurm.batch import Batch, Growth
from harness.dispatch.slurm.script import Outputs, script
from harness.errors import BadInput
from harness.spec.schema import SlurmSettings

BATCH = Batch("harness-train-x", "train", Growth(), [[], []])


def flags(text: str) -> dict[str, str]:
    """The #SBATCH lines as sbatch reads them: everywhere a backslash escapes what follows."""
    found = {}
    for line in text.split("\n"):
        if not line.startswith("#SBATCH --"):
            continue
        value, quote, escaped = "", "", False
        for letter in line.removeprefix("#SBATCH --"):
            if escaped:
                value, escaped = value + letter, False
            elif letter == "\\":
                escaped = True
            elif quote and letter == quote:
                quote = ""
            elif not quote and letter in "'\"":
                quote = letter
            elif not quote and (letter == "#" or letter.isspace()):
                break
            else:
                value += letter
        name, _, value = value.partition("=")
        found[name] = value
    return found


def commands(text: str) -> list[list[str]]:
    """What the shell is given, word by word."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "plain",
            "a b",
            "é",
            "it's",
            'a "b"',
            "# no comment",
            "$HOME `x`",
            "a\tb",
            "\x07\x1b[31m",
        ),
        # the end of a line to Python's splitlines, and to nobody else
        *("a\x0bb", "a\x0cb", "a\x1c b", "a\x85'b", "a\u2028b"),
    ],
)
def test_a_path_reaches_sbatch_and_srun_as_it_is(name: str) -> None:
    root = Path("/shared") / name
    text = script(root, BATCH, SlurmSettings(), None)
    folder = f"{root}/slurm/harness-train-x"
    assert flags(text)["output"] == f"{folder}/%A_%a_0_log.out"
    assert flags(text)["error"] == f"{folder}/%A_%a_0_log.err"
    srun = commands(text)[-1]
    assert srun[srun.index("--output") + 1] == f"{folder}/%A_%a_%t_log.out"
    assert srun[-2:] == [str(root), "harness-train-x"]


@pytest.mark.parametrize("name", [r"b\n%j", r"b\slash", "%j 100%", "%%", "%5t", "100%% of %A_%a"])
def test_where_a_path_may_be_read_as_a_pattern_there_is_none_and_the_script_names_the_files(
    name: str,
) -> None:
    root = Path("/r") / name
    text = script(root, BATCH, SlurmSettings(), None)
    # sbatch takes one backslash of two away, and then the file name's rules do so again
    escaped = name.replace("\\", "\\\\")
    literal = rf"/r/{escaped}/slurm/harness-train-x/array\_log"
    assert flags(text)["output"] == f"{literal}.out" and flags(text)["error"] == f"{literal}.err"
    first, *_, srun = commands(text)
    assert first[1].startswith(f">>{root}/slurm/") and first[1].endswith("_0_log.out")
    assert "--output" not in srun and srun[-2] == str(root)
    assert Outputs.of(root).srun == ["srun", "--unbuffered"]


def test_an_option_of_the_study_reaches_sbatch_as_it_was_written() -> None:
    said = {"comment": 'it\'s #1: a \\ and "two"', "nice": 5}
    text = script(Path("/r"), BATCH, SlurmSettings(partition="a b", extra=said), None)
    found = flags(text)
    assert found["comment"] == said["comment"]
    assert (found["nice"], found["partition"], found["array"]) == ("5", "a b", "0-1%2")


@pytest.mark.parametrize("path", ["/r/a\nb", "/r/a\rb"])
def test_a_line_break_in_the_path_is_refused_in_a_sentence(path: str) -> None:
    with pytest.raises(BadInput, match=r"line break in its path: '/r/a\\[nr]b'$"):
        script(Path(path), BATCH, SlurmSettings(), None)
