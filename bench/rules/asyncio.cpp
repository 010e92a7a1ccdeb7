// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Each rule is tried by a program of Python's, which prints its word.

#include "rules.hpp"

namespace rules {
namespace {

word python(const char* program)
{
    return said_by(
        word("/usr/bin/python3 -W ignore -c '") + program + "' 2>/dev/null", "python3 fails");
}

word own_loop()
{
    return python("import asyncio, threading\n"
                  "asyncio.set_event_loop(asyncio.new_event_loop())\n"
                  "def ask():\n"
                  "    try: asyncio.get_event_loop(); print(\"yes\")\n"
                  "    except RuntimeError: print(\"no: refused outside of main\")\n"
                  "it = threading.Thread(target=ask); it.start(); it.join()\n");
}

word dead_loop()
{
    return python(
        "import asyncio\n"
        "loop = asyncio.new_event_loop()\n"
        "asyncio.set_event_loop(loop)\n"
        "loop.close()\n"
        "try: print(\"no: the closed one is\" if asyncio.get_event_loop() is loop else \"yes\")\n"
        "except RuntimeError: print(\"yes\")\n");
}

word early_stop()
{
    return python("import asyncio\n"
                  "loop = asyncio.new_event_loop()\n"
                  "ran = []\n"
                  "loop.stop(); loop.run_forever()\n"
                  "loop.call_soon(lambda: (ran.append(1), loop.stop())); loop.run_forever()\n"
                  "print(\"yes\" if ran else \"no: it sticks\")\n");
}

word close_running()
{
    return python("import asyncio\n"
                  "loop = asyncio.new_event_loop()\n"
                  "def close():\n"
                  "    try: loop.close(); print(\"no: it is closed\")\n"
                  "    except RuntimeError: print(\"yes\")\n"
                  "    loop.stop()\n"
                  "loop.call_soon(close); loop.run_forever()\n");
}

word pending()
{
    return python("import asyncio, weakref\n"
                  "loop = asyncio.new_event_loop()\n"
                  "class thing: pass\n"
                  "held = thing(); gone = weakref.ref(held)\n"
                  "loop.call_soon(print, held); del held\n"
                  "loop.close()\n"
                  "print(\"yes\" if gone() is None else \"no: it stays\")\n");
}

word restores()
{
    return python(
        "import asyncio\n"
        "loop = asyncio.new_event_loop()\n"
        "asyncio.set_event_loop(loop)\n"
        "async def nothing(): pass\n"
        "asyncio.run(nothing())\n"
        "try: print(\"yes\" if asyncio.get_event_loop() is loop else \"no: another one\")\n"
        "except RuntimeError: print(\"no: there is none\")\n");
}

word in_fork()
{
    return python("import asyncio, os\n"
                  "async def main():\n"
                  "    child = os.fork()\n"
                  "    if child == 0:\n"
                  "        os._exit(0 if asyncio._get_running_loop() is None else 1)\n"
                  "    return os.waitpid(child, 0)[1]\n"
                  "print(\"yes\" if asyncio.run(main()) == 0 else \"no: the parent runs\")\n");
}

} // namespace

const subject of_asyncio = {"asyncio", own_loop, dead_loop, early_stop, close_running, pending,
    restores, in_fork, nullptr, nullptr};

} // namespace rules
