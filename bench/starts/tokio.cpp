// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "../children/host.hpp"
#include "../children/subject.hpp"
#include "starters.hpp"

#include <stdexcept>

namespace starts {
namespace {

// Has a process with tokio do it, told by a line each time.
class tokio_starter : public starter
{
public:
    explicit tokio_starter(const std::string& program)
        : process_({children::beside("tokio_host"), program})
    {}

    void start_and_wait() override
    {
        process_.tell("complete\n");
        char answer[256];
        if (!std::fgets(answer, sizeof answer, process_.said()))
            throw std::runtime_error("tokio: its process is gone");
        if (answer != std::string("ok 0\n"))
            throw std::runtime_error(std::string("tokio: ") + answer);
    }

private:
    const children::host process_;
};

} // namespace

void add_tokio(std::vector<kind>& all)
{
    all.push_back(kind_of<tokio_starter>("tokio"));
}

} // namespace starts
