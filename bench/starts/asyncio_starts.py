# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

# Starts a program and waits for its end, for each byte on standard input; answers by a byte.

import asyncio
import os
import sys


async def main():
    os.write(1, b"r")
    while os.read(0, 1):
        process = await asyncio.create_subprocess_exec(sys.argv[1])
        await process.wait()
        os.write(1, b"e")


asyncio.run(main())
