# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""Two loops, a thread each, that call each other by call_soon_threadsafe().

usage: asyncio_trips.py asyncio|uvloop CPU CPU

A number on standard input is how many trips there and back to make: they are answered by what these took
on the wall clock, and of the CPU, in nanoseconds. Any other line has the second loop run something.
"""

import asyncio
import os
import sys
import threading
import time

if sys.argv[1] == "uvloop":
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
here = asyncio.new_event_loop()
there = asyncio.new_event_loop()


class Trips:
    def __init__(self, count):
        self.left = count
        self.over = threading.Event()
        here.call_soon_threadsafe(self.begin)

    def begin(self):
        self.wall = time.monotonic_ns()
        self.cpu = time.process_time_ns()
        self.go()

    def go(self):
        if self.left == 0:
            self.taken = (time.monotonic_ns() - self.wall, time.process_time_ns() - self.cpu)
            self.over.set()
            return
        self.left -= 1
        there.call_soon_threadsafe(self.answer)

    def answer(self):
        here.call_soon_threadsafe(self.go)


def run(loop, cpu):
    os.sched_setaffinity(0, {cpu})  # of this thread
    loop.run_forever()


for loop, place in ((here, sys.argv[2]), (there, sys.argv[3])):
    threading.Thread(target=run, args=(loop, int(place)), daemon=True).start()
for line in sys.stdin:
    if line == "poke\n":
        there.call_soon_threadsafe(int)
        continue
    trips = Trips(int(line))
    trips.over.wait()
    print(*trips.taken, flush=True)
os._exit(0)
