# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""What there is to know of the machine, where its figures are read elsewhere."""

import datetime
import os
import pathlib
import platform
import re
import resource
import subprocess


def output(command, text=""):
    """The first line that a command prints; nothing where it is not there or fails."""
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[-1 if text else 0] if lines else None


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return None


def macros(header, *names):
    """What a header of C defines, with dots between."""
    text = f"#include <{header}>\n" + " ".join(names) + "\n"
    found = output(["c++", "-E", "-P", "-x", "c++", "-"], text)
    if not found or names[0] in found:
        return None
    return found.replace('"', "").replace(" ", ".").replace("_", ".")


def processor():
    text = read("/proc/cpuinfo") or ""
    model = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)", text, re.MULTILINE)
    return {
        "model": model.group(1) if model else platform.machine(),
        "cpus": os.cpu_count(),
        "allowed_cpus": len(os.sched_getaffinity(0)),
        "virtual": bool(flags and "hypervisor" in flags.group(1).split()),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }


def memory_mib():
    found = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo") or "", re.MULTILINE)
    return int(found.group(1)) // 1024 if found else None


def limits():
    def most(which):
        value = resource.getrlimit(which)[1]
        return None if value == resource.RLIM_INFINITY else value

    return {
        "descriptors": most(resource.RLIMIT_NOFILE),
        "processes": most(resource.RLIMIT_NPROC),
        "cpu_quota": read("/sys/fs/cgroup/cpu.max"),
        "tasks": read("/sys/fs/cgroup/pids.max"),
    }


def versions():
    python = "/usr/bin/python3"  # which the programs take
    found = {
        "boost": macros("boost/version.hpp", "BOOST_LIB_VERSION"),
        "libuv": output(["pkg-config", "--modversion", "libuv"]),
        "glib": output(["pkg-config", "--modversion", "glib-2.0"]),
        "libev": macros("ev.h", "EV_VERSION_MAJOR", "EV_VERSION_MINOR"),
        "python": output([python, "-c", "import platform; print(platform.python_version())"]),
        "uvloop": output([python, "-c", "import uvloop; print(uvloop.__version__)"]),
        "tokio": output(["dpkg-query", "-W", "-f=${source:Upstream-Version}", "librust-tokio-dev"]),
    }
    return found


def describe(root):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": output(["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]),
        "processor": processor(),
        "memory_mib": memory_mib(),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": output(["c++", "--version"]),
        "versions": versions(),
        "limits": limits(),
        "load_before": round(os.getloadavg()[0], 2),
    }
