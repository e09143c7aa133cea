"""A Python with torch loaded, which forks for each process that a test asks for.

    python warm_server.py SOCKET PID

It ends with the process PID, the test session, and so does all that it has forked. When a client
dies, its process is killed: who kills the one kills the other.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
import types
import warnings
from pathlib import Path
from typing import Any

import harness

LEFT = ("harness.trackers.", "harness.testing.")  # who uses them imports them
OTHERS = ("torch._dynamo", "scipy.stats", "matplotlib.figure", "matplotlib.backends.backend_pdf")


def load() -> None:
    """Import what a process of ours imports, sooner or later."""
    for module in pkgutil.walk_packages(harness.__path__, "harness."):
        if not module.name.startswith(LEFT) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in OTHERS:
        importlib.import_module(name)
    threads = [task.joinpath("comm").read_text() for task in Path("/proc/self/task").iterdir()]
    others = [name for name in threads[1:] if name != "jemalloc_bg_thd\n"]  # pyarrow's, forks well
    assert not others, f"a fork would not have the threads {others}"
    gc.collect()
    gc.freeze()  # its pages stay shared


def serve(path: str, session: int) -> dict[str, Any]:
    """Fork whenever asked. Returns in each child alone: what it is to do."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    base = [entry for entry in sys.path[1:] if entry not in given]  # without this folder
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path + ".new")
    listening.listen(64)
    os.rename(path + ".new", path)  # whoever sees it can connect
    look = selectors.DefaultSelector()
    look.register(listening, selectors.EVENT_READ, None)
    look.register(os.pidfd_open(session), selectors.EVENT_READ, "session")
    children: dict[int, tuple[socket.socket, int]] = {}
    while True:
        for found, _ in look.select():
            if found.data == "session":
                for child in children:
                    os.kill(child, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.unlink(path)
                os._exit(0)
            if found.data is None:
                client, _ = listening.accept()
                told, handles = _asked(client)
                child = os.fork()
                if child == 0:
                    look.close()
                    listening.close()
                    client.close()
                    for other, end in children.values():
                        other.close()
                        os.close(end)
                    for number, handle in enumerate(handles):
                        os.dup2(handle, number)
                        os.close(handle)
                    return told | {"base": base}
                for handle in handles:
                    os.close(handle)
                end = os.pidfd_open(child)
                children[child] = client, end
                client.sendall(f"{child}\n".encode())
                look.register(client, selectors.EVENT_READ, child)
                look.register(end, selectors.EVENT_READ, child)
                continue
            child = found.data
            if child not in children:
                continue
            client, end = children[child]
            if found.fd == client.fileno():  # the client says nothing more: it has died
                os.kill(child, signal.SIGKILL)
                look.unregister(client)
                continue
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with contextlib.suppress(OSError):
                client.sendall(f"{code}\n".encode())
            for what in (client, end):
                with contextlib.suppress(KeyError):
                    look.unregister(what)
            client.close()
            os.close(end)
            del children[child]


def _asked(client: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, handles, _, _ = socket.recv_fds(client, 8, 3)
    left, text = int.from_bytes(head, "little"), b""
    while len(text) < left:
        text += client.recv(left - len(text))
    return json.loads(text.decode("utf-8", "surrogateescape")), handles


def become(told: dict[str, Any]) -> None:
    """Be the process that was asked for, as if the interpreter had begun with it."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(told["umask"])
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["environ"])
    words = told["words"]
    unbuffered = words[0] == "-u"
    words = words[unbuffered:]
    _open_streams(unbuffered or bool(os.environ.get("PYTHONUNBUFFERED")))
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = ["" if words[0] == "-c" else told["cwd"], *given, *told["base"]]
    sys.executable = os.environ["HARNESS_TESTS_PYTHON"]  # what it starts is forked, too
    importlib.invalidate_caches()
    for word in os.environ.get("PYTHONWARNINGS", "").split(","):
        if word:
            warnings.simplefilter(word)  # type: ignore[arg-type]
    sys.argv = [words[0], *words[2:]]
    if words[0] == "-c":
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        exec(compile(words[1], "<string>", "exec"), main.__dict__)
    else:
        sys.modules.pop(words[1], None)
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)


def _open_streams(unbuffered: bool) -> None:
    """Python's streams on what was passed: those of the server know that theirs is a file."""
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        raw = io.FileIO(number, "wb", closefd=False)
        stream = io.TextIOWrapper(
            raw if unbuffered else io.BufferedWriter(raw),  # type: ignore[arg-type]
            errors=errors,
            line_buffering=number == 2 or os.isatty(number),
            write_through=unbuffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def end(code: object) -> None:
    """End as the interpreter does, without taking apart all that torch has brought."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(int(code or 0) & 255)  # type: ignore[call-overload]


if __name__ == "__main__":
    load()
    told = serve(sys.argv[1], int(sys.argv[2]))
    try:
        become(told)
    except SystemExit as left:
        end(left.code)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        end(1)
    end(0)
