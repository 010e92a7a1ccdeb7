// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "pair.hpp"

namespace trips {

std::vector<unsigned> allowed_cpus()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    std::vector<unsigned> cpus;
    for (unsigned i = 0; i < CPU_SETSIZE; ++i)
    {
        if (CPU_ISSET(i, &set))
            cpus.push_back(i);
    }
    return cpus;
}

confined::confined(const std::vector<unsigned>& cpus)
{
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const unsigned each : cpus)
        CPU_SET(each, &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

std::array<unsigned, 2> two_places()
{
    const std::vector<unsigned> cpus = allowed_cpus();
    return {cpus.front(), cpus[1 % cpus.size()]};
}

} // namespace trips
