"""What the study cost: time, GPU-hours and energy by kind of stage, kept and lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.input import Spent
from harness.report.wording import DASH, count, duration, listed, number


class Cost(Section):
    """Time, GPU-hours and energy of each kind of stage: of attempts whose result was kept, and of
    the others."""

    name = "cost"
    title = "Cost"
    needs = ()

    def blocks(self, findings: Findings) -> list[Block]:
        spent = findings.report.spent
        if not spent:
            return [paragraph(em("No attempt is on record, so what it cost is not known."))]
        every = _all(spent)
        counted = bool(every.kept_gpu_hours or every.lost_gpu_hours)
        rows = [_line(s, counted, every.read > 0) for s in [*spent, every]]
        head: list[str | Cell] = ["Stages", "Attempts", "time kept"]
        head += ["GPU-hours kept"] if counted else []
        head += ["kWh kept"] if every.read else []
        head += ["failed or stopped", "time lost"]
        head += ["GPU-hours lost"] if counted else []
        head += ["kWh lost", "kWh known of"] if every.read else []
        caption: list[Text] = [strong("Time spent. "), " ".join(_sentences(every, counted))]
        said = " adds up every attempt on record, also of runs that the study shares with others."
        text: list[Text] = [ref("tab-cost"), said]
        last = len(rows) - 1
        return [
            paragraph(*text),
            table("cost", "l" + "r" * (len(head) - 1), [head], rows, caption, wide=True,
                  rules=[last]),
        ]  # fmt: skip


def _sentences(every: Spent, counted: bool) -> list[str]:
    said = ["Wall time of the attempts, each in one place of a machine or as one task of a queue."]
    if counted:
        said += [
            "GPU-hours are that time by an attempt's GPUs: those that its queue gave it, where the "
            "study's plan says how many, or else those that it used.",
            "A GPU that several attempts share counts for each of them.",
        ]
    if every.read:
        said += [
            "kWh are what NVML counted on whole GPUs while an attempt ran, known of "
            f"{every.read:,} of {count(every.on_gpus, 'attempt')} with GPUs.",
            "Where a process was killed, they end with what it read last.",
        ]
    elif not every.on_gpus and not counted:
        said += ["No attempt had a GPU, and the energy of processors is not recorded."]
    return said + _not_known(every)


def _not_known(every: Spent) -> list[str]:
    unread = every.on_gpus - every.read
    lacks = []
    if every.unknown:
        lacks.append(f"how many GPUs {count(every.unknown, 'attempt')} had")
    if unread:
        same = lacks and unread == every.unknown
        who = "these" if same else count(unread, "attempt")
        lacks.append(f"what energy the GPUs of {who} took")
    return [f"It is not known {listed(lacks)}."] if lacks else []


def _all(spent: Sequence[Spent]) -> Spent:
    return Spent(
        kind="all",
        attempts=sum(s.attempts for s in spent),
        kept=sum(s.kept for s in spent),
        failed=sum(s.failed for s in spent),
        lost=sum(s.lost for s in spent),
        kept_gpu_hours=sum(s.kept_gpu_hours for s in spent),
        lost_gpu_hours=sum(s.lost_gpu_hours for s in spent),
        on_gpus=sum(s.on_gpus for s in spent),
        unknown=sum(s.unknown for s in spent),
        read=sum(s.read for s in spent),
        kept_kwh=_sum(s.kept_kwh for s in spent),
        lost_kwh=_sum(s.lost_kwh for s in spent),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _line(s: Spent, counted: bool, read: bool) -> list[str | Cell]:
    line: list[str | Cell] = [s.kind, f"{s.attempts:,}", duration(s.kept)]
    line += [_hours(s.kept_gpu_hours, s)] if counted else []
    line += [_amount(s.kept_kwh)] if read else []
    line += [f"{s.failed:,}", duration(s.lost)]
    line += [_hours(s.lost_gpu_hours, s)] if counted else []
    lost = s.lost_kwh if s.failed or not s.on_gpus else 0.0
    known = f"{s.read:,} of {s.on_gpus:,}" if s.on_gpus else DASH
    return line + ([_amount(lost), known] if read else [])


def _hours(hours: float, s: Spent) -> str:
    """A dash where it may be that there were some, and they are not known."""
    return DASH if s.unknown and not hours else _amount(hours)


def _amount(value: float | None) -> str:
    """One decimal; two digits of what is less than 1."""
    if value is None or value == 0 or value >= 1:
        return DASH if value is None else f"{value:,.1f}"
    return number(value, 2)
