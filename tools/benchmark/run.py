# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""Builds and runs the programs."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from . import machine, results


def build(root):
    jobs = os.environ.get("LOOPS_JOBS") or str(os.cpu_count())
    subprocess.run([str(root / "tools/setup"), "bench"], check=True)
    log = root / "bin/logs/bench.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print("Building (some minutes the first time) ...", flush=True)
    command = ["b2", "--ignore-site-config", "--user-config=", f"-j{jobs}", "toolset=gcc", "bench"]
    with log.open("w") as out:
        done = subprocess.run(command, cwd=root, stdout=out, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        print(log.read_text()[-4000:])
        raise results.Unusable(f"the build failed; all of its output is in {log}")


def execute(command, environment, seconds):
    """Runs a program and what it starts, and gives its problem: none, or what went wrong."""
    try:
        process = subprocess.Popen(command, env=environment, start_new_session=True)
    except OSError as problem:
        return str(problem.strerror)
    try:
        status = process.wait(timeout=seconds)
    except BaseException as reason:
        # Its children may outlive it: all of them are of its session.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not isinstance(reason, subprocess.TimeoutExpired):
            raise
        return f"took longer than {seconds} s"
    return None if status == 0 else f"ended with status {status}"


def measure(root, wanted, quick):
    found = {
        "format": results.FORMAT,
        "quick": quick,
        "machine": machine.describe(root),
        "programs": [],
        "results": [],
    }
    # No policy but those that the programs choose.
    environment = {name: it for name, it in os.environ.items() if not name.startswith("LOOPS_")}
    for name, arguments in wanted.items():
        print(f"\n--- {name} {' '.join(arguments)}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            lines = pathlib.Path(folder, "results")
            environment["LOOPS_BENCH_JSON"] = str(lines)
            begin = time.monotonic()
            problem = execute(
                [str(root / "bin/stage" / name), *arguments],
                environment,
                300 if quick else 1800,
            )
            text = lines.read_text() if lines.exists() else ""
        records = [json.loads(line) for line in text.splitlines()]
        if not problem and not records:
            problem = "told nothing"
        if problem:
            print(f"tools/bench: {name}: {problem}", flush=True)
        found["programs"].append(
            {
                "name": name,
                "arguments": arguments,
                "seconds": round(time.monotonic() - begin, 1),
                "problem": problem,
            }
        )
        found["results"] += records
    return found
