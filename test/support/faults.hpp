// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_FAULTS_HPP
#define LOOPS_TEST_SUPPORT_FAULTS_HPP

#include <loops/detail/fault.hpp>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <list>
#include <vector>

namespace test {

// A system call that is to fail: at every call from the `from`th on, `times` times; less than 0:
// always.
struct fault
{
    const char* call;
    int code;
    int times = -1;
    int from = 0;
};

struct counted_fault
{
    fault made{};
    std::atomic<int> asked{0};
};

// Makes system calls fail while it lives; there is one at a time. For any thread, also for one that is
// asking while it goes: what was asked stays.
class faults
{
public:
    faults(std::initializer_list<fault> made)
    {
        entries& now = all_.emplace_back(made.size());
        std::size_t i = 0;
        for (const fault& each : made)
            now[i++].made = each;
        now_ = &now;
        loops::detail::fault_hook = &ask;
    }
    faults(const faults&) = delete;
    faults& operator=(const faults&) = delete;
    ~faults() { loops::detail::fault_hook = nullptr; }

    // How often the call was asked for, whether it failed or not.
    static int asked(std::size_t which = 0) { return (*now_.load()).at(which).asked; }

private:
    using entries = std::vector<counted_fault>;

    static int ask(const char* call)
    {
        for (counted_fault& each : *now_.load())
        {
            if (std::strcmp(each.made.call, call) != 0)
                continue;
            const int before = each.asked++ - each.made.from;
            if (before >= 0 && (each.made.times < 0 || before < each.made.times))
                return each.made.code;
        }
        return 0;
    }

    inline static std::list<entries> all_;
    inline static std::atomic<entries*> now_{nullptr};
};

} // namespace test

#endif
