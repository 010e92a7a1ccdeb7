// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "../children/host.hpp"
#include "../children/python.hpp"
#include "starters.hpp"

#include <stdexcept>

namespace starts {
namespace {

// Has a Python process do it, told by a byte each time.
class asyncio_starter : public starter
{
public:
    asyncio_starter(const std::string& program, const char* way)
        : process_(children::python("asyncio_starts.py", {program, way}))
    {
        receive();
    }

    void start_and_wait() override
    {
        process_.tell("s");
        receive();
    }

private:
    void receive()
    {
        if (std::fgetc(process_.said()) == EOF)
            throw std::runtime_error("asyncio: its process is gone");
    }

    const children::host process_;
};

} // namespace

void add_asyncio(std::vector<kind>& all)
{
    if (!children::has_python())
        return;
    const auto add = [&all](const std::string& name, const char* way) {
        all.push_back({name, [way](const std::string& program) -> std::unique_ptr<starter> {
                           return std::make_unique<asyncio_starter>(program, way);
                       }});
    };
    add("asyncio Pidfd", "PidfdChildWatcher");
    add("asyncio Threaded", "ThreadedChildWatcher");
    add("asyncio MultiLoop", "MultiLoopChildWatcher");
    add("asyncio Safe", "SafeChildWatcher");
    add("asyncio Fast", "FastChildWatcher");
    if (children::has_uvloop())
        add("uvloop", "uvloop");
}

} // namespace starts
