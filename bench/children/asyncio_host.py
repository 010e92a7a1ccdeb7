# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""Runs one of asyncio's child watchers, or uvloop, and does what it is told on standard input.

usage: asyncio_host.py WATCHER HELPER [counts]

A line is an operation; each is answered by lines that end with "ok ...", "no ..." or "refused ...".
"""

import asyncio
import ctypes
import gc
import logging
import os
import resource
import signal
import sys
import threading
import time
import warnings
import weakref

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
OUT = os.fdopen(os.dup(1), "w")
HELPER = sys.argv[2]
signals = 0


def count_signal(_number, _frame):
    global signals
    signals += 1


class NotOffered(Exception):
    pass


class Wait:
    """What is called at a child's end, and is there as long as the watcher holds it."""

    def __init__(self, host, number):
        self.host = host
        self.number = number
        self.pid = 0
        self.action = "nothing"

    def __call__(self, pid, returncode):
        self.host.tell(self, returncode)


class Host:
    def __init__(self, kind):
        self.loop = self.make_loop()
        asyncio.set_event_loop(self.loop)
        self.watcher = self.make_watcher(kind)
        self.waits = []
        self.pids = []
        self.reports = []
        self.told = 0
        self.wanted = None
        self.starting = None
        self.long_one = 0
        self.descriptors = []
        self.reaped_status = -1

    def make_loop(self):
        return asyncio.new_event_loop()

    def make_watcher(self, kind):
        watcher = getattr(asyncio, kind)()
        watcher.attach_loop(self.loop)
        if kind == "FastChildWatcher":
            watcher.__enter__()
        return watcher

    def tell(self, wait, returncode):
        status = returncode << 8 if returncode >= 0 else -returncode
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self.reports.append((wait.number, status, now))
        self.told += 1
        if self.wanted and self.told >= self.wanted[0] and not self.wanted[1].done():
            self.wanted[1].set_result(None)
        if wait.action == "throws":
            raise RuntimeError("thrown by a handler")
        if wait.action == "starts_long_one":
            self.start_long_one()

    def start_long_one(self):
        self.long_one = self.start_raw(["sleep", "1000", "0"])
        self.add(self.long_one, "nothing")

    def new_wait(self, pid, action):
        wait = Wait(self, len(self.waits))
        wait.action = action
        self.waits.append(weakref.ref(wait))
        self.pids.append(pid)
        return wait

    def add(self, pid, action):
        wait = self.new_wait(pid, action)
        self.watcher.add_child_handler(pid, wait)
        return wait.number

    # --- operations ---

    def start_raw(self, args):
        return os.posix_spawn(HELPER, [HELPER, *args], os.environ)

    def do_start(self, *args):
        return self.start_raw(args)

    def do_start_failing(self):
        async def start():
            await asyncio.create_subprocess_exec("/nonexistent/program")

        asyncio.set_child_watcher(self.watcher)
        self.loop.run_until_complete(start())

    def do_watch(self, pid, action):
        async def watch():
            return self.add(int(pid), action)

        return self.loop.run_until_complete(watch())

    def do_run(self, milliseconds, count):
        async def run():
            if self.told >= int(count):
                return
            self.wanted = (int(count), self.loop.create_future())
            try:
                await asyncio.wait_for(self.wanted[1], int(milliseconds) / 1000)
            except asyncio.TimeoutError:
                pass
            self.wanted = None
            if self.starting:
                await self.starting
                self.starting = None

        self.loop.run_until_complete(run())
        for number, status, at in self.reports:
            print("told", number, status, at, file=OUT)
        self.reports = []
        return self.long_one

    def do_cancel(self, number):
        if not self.watcher.remove_child_handler(self.pids[int(number)]):
            raise KeyError("there is no such handler")

    def do_drop(self, number):
        self.watcher.remove_child_handler(self.pids[int(number)])

    def do_drop_watcher(self):
        self.watcher.close()
        self.watcher = None

    def do_drop_loop(self):
        self.loop.close()

    def do_close(self):
        self.watcher.close()
        self.loop.close()

    def do_held(self, number):
        return int(self.waits[int(number)]() is not None)

    def do_start_as(self, wanted, *args):
        argv = [HELPER.encode(), *(arg.encode() for arg in args)]
        pid = ctypes.c_int(int(wanted))
        # clone_args: exit_signal is the fifth, set_tid and set_tid_size the ninth and tenth.
        how = (ctypes.c_uint64 * 11)()
        how[4] = signal.SIGCHLD
        how[8] = ctypes.addressof(pid)
        how[9] = 1
        made = ctypes.CDLL(None, use_errno=True).syscall(435, ctypes.byref(how), 88)
        if made == 0:
            os.execv(HELPER, argv)
            os._exit(127)
        if made != int(wanted):
            raise NotOffered

    def do_reap(self, pid):
        try:
            return os.waitpid(int(pid), 0)[1]
        except ChildProcessError:
            return -1

    def do_reap_by_thread(self, pid):
        def reap():
            self.reaped_status = self.do_reap(pid)

        self.reaper = threading.Thread(target=reap, daemon=True)
        self.reaper.start()

    def do_reaped(self):
        self.reaper.join()
        return self.reaped_status

    def do_ignore_signal(self):
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    def do_signals(self):
        return signals

    def do_counter_stands(self):
        return int(signal.getsignal(signal.SIGCHLD) is count_signal)

    def do_use_up_descriptors(self, left):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
        try:
            while True:
                self.descriptors.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        for _ in range(int(left)):
            os.close(self.descriptors.pop())

    def do_release_descriptors(self):
        for fd in self.descriptors:
            os.close(fd)
        self.descriptors = []


class UvloopHost(Host):
    """Starting a child and watching it are one there: libuv does both."""

    class Protocol(asyncio.SubprocessProtocol):
        def __init__(self, wait):
            self.wait = wait
            self.ended = False

        def connection_made(self, transport):
            self.transport = transport

        def process_exited(self):
            self.wait.host.transports.pop(self.wait.number, None)
            self.ended = True
            if self.wait.action is not None:
                self.tell()

        def watch(self, action):
            self.wait.action = action
            if self.ended:
                self.wait.host.loop.call_soon(self.tell)

        def tell(self):
            wait, self.wait = self.wait, None
            wait(self.transport.get_pid(), self.transport.get_returncode())

    def make_loop(self):
        import uvloop

        return uvloop.new_event_loop()

    def make_watcher(self, kind):
        self.begun = {}
        self.transports = {}
        return None

    async def begin(self, action, args):
        wait = self.new_wait(0, action)
        transport, protocol = await self.loop.subprocess_exec(
            lambda: self.Protocol(wait), HELPER, *args, stdin=None, stdout=None, stderr=None
        )
        self.pids[wait.number] = transport.get_pid()
        self.transports[wait.number] = transport
        return protocol

    def do_begin(self, *args):
        # Ended before watch() has been called, it is told then.
        protocol = self.loop.run_until_complete(self.begin(None, args))
        pid = protocol.transport.get_pid()
        self.begun[pid] = protocol
        return pid

    def do_watch(self, pid, action):
        protocol = self.begun.pop(int(pid), None)
        if protocol is None:
            raise NotOffered
        number = protocol.wait.number
        protocol.watch(action)
        return number

    def do_start_failing(self):
        self.loop.run_until_complete(
            self.loop.subprocess_exec(asyncio.SubprocessProtocol, "/nonexistent/program")
        )

    def start_long_one(self):
        async def start():
            protocol = await self.begin("nothing", ["sleep", "1000", "0"])
            self.long_one = protocol.transport.get_pid()

        self.starting = self.loop.create_task(start())

    def do_cancel(self, _number):
        raise NotOffered

    def do_drop(self, number):
        transport = self.transports.pop(int(number), None)
        if transport:
            transport.close()

    def do_drop_watcher(self):
        for transport in self.transports.values():
            transport.close()
        self.transports = {}

    def do_drop_loop(self):
        self.loop.close()
        self.transports = {}  # which hold the handlers
        gc.collect()

    def do_close(self):
        self.do_drop_watcher()
        self.loop.close()


def main():
    if "counts" in sys.argv[3:]:
        signal.signal(signal.SIGCHLD, count_signal)
    host = None
    for line in sys.stdin:
        words = line.split()
        try:
            if host is None:
                host = (UvloopHost if sys.argv[1] == "uvloop" else Host)(sys.argv[1])
            result = getattr(host, "do_" + words[0])(*words[1:]) if words[0] != "hello" else None
            answer = f"ok {0 if result is None else result}"
        except NotOffered:
            answer = "no"
        except Exception as problem:  # whatever the watcher says
            answer = f"refused {type(problem).__name__} {problem}"
        print(answer, file=OUT, flush=True)
    os._exit(0)


main()
