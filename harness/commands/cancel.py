"""`cancel`: stop the driver that runs a study (its stages save their progress first)."""

from __future__ import annotations

import argparse
import os
import signal

from harness.commands import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    owners = {}
    for stage in opened.stages:
        owner = opened.ledger.owner_of(stage.key)
        if owner is not None:
            owners[(owner.host, owner.pid)] = owner
    if not owners:
        print("nothing of this study is running")
        return 0
    for owner in owners.values():
        if owner.alive():
            os.kill(owner.pid, signal.SIGINT)
            print(f"asked process {owner.pid} to stop")
        else:
            print(f"a driver on {owner.host} (process {owner.pid}) holds stages: cancel it there")
    return 0
