"""`python` as tests start it: asks the fork server for the process, and lives and dies with it.

    python -IS warm_client.py PYTHON -m harness ...

What the server cannot give in the same way is started by PYTHON itself. It must be quick, so that
nothing but the standard library's smallest modules is imported.
"""

import json
import os
import signal
import socket
import sys

PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGQUIT", "SIGABRT")
HANDED_ON = ("PYTHONPATH", "PYTHONWARNINGS")  # the server's child does what these say


def read_at_the_start() -> dict[str, str]:
    """What an interpreter and the libraries of torch read once, when they are loaded."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name.startswith("PYTHON") and name not in HANDED_ON)
        or name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }


def can_be_forked(words: list[str]) -> bool:
    """Is it a module of ours, or code, in an environment that a loaded Python can still take on?"""
    words = words[words[:1] == ["-u"] :]
    ours = words[:1] == ["-m"] and words[1].split(".")[0] == "harness"
    code = words[:1] == ["-c"] and "multiprocessing" not in words[1]
    there = json.loads(os.environ.get("HARNESS_TESTS_FORKED_WITH", "null"))
    return read_at_the_start() == there and (ours or code)


def main(python: str, words: list[str]) -> None:
    if not can_be_forked(words):
        os.execv(python, [python, *words])
    if not os.path.exists(os.environ["HARNESS_TESTS_FORK_SERVER"]):
        sys.path.insert(0, os.path.dirname(__file__))
        import warm

        warm.start_server()
    server = socket.socket(socket.AF_UNIX)
    server.connect(os.environ["HARNESS_TESTS_FORK_SERVER"])
    umask = os.umask(0)
    os.umask(umask)
    told = {"words": words, "cwd": os.getcwd(), "environ": dict(os.environ), "umask": umask}
    text = json.dumps(told).encode("utf-8", "surrogateescape")
    socket.send_fds(server, [len(text).to_bytes(8, "little")], [0, 1, 2])
    server.sendall(text)
    answers = server.makefile("r")
    child = int(answers.readline())

    def pass_on(number: int, _: object) -> None:
        os.kill(child, number)

    for name in PASSED_ON:
        # SIGINT is ignored from the start where a shell put the tests into the background, and what
        # a driver does about it does not depend on that.
        ignored = signal.getsignal(getattr(signal, name)) is signal.SIG_IGN
        if name == "SIGINT" or not ignored:
            signal.signal(getattr(signal, name), pass_on)
    for number in (0, 1, 2):
        os.close(number)  # the child has them: its end must be seen by who reads from it
    status = int(answers.readline() or 1)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
