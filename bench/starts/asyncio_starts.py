# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""Starts a program and waits for its end, for each byte on standard input; answers by a byte.

usage: asyncio_starts.py PROGRAM WATCHER

WATCHER is one of asyncio's, or "uvloop", which has none and waits by libuv.
"""

import asyncio
import os
import sys
import warnings

warnings.simplefilter("ignore")
program, way = sys.argv[1:]


async def main():
    if way != "uvloop":
        watcher = getattr(asyncio, way)()
        watcher.attach_loop(asyncio.get_running_loop())
        if way == "FastChildWatcher":
            watcher.__enter__()
        asyncio.set_child_watcher(watcher)
    os.write(1, b"r")
    while os.read(0, 1):
        process = await asyncio.create_subprocess_exec(program)
        await process.wait()
        os.write(1, b"e")


if way == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main())
