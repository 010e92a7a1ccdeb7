// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_BOUNDED_HPP
#define LOOPS_TEST_SUPPORT_BOUNDED_HPP

#include <loops/event_loop.hpp>
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/spawn.hpp>

#include "support/error_check.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace test {

inline std::shared_ptr<loops::bounded_policy> bounded(std::size_t most_tasks,
    std::size_t most_waiting = loops::bounded_policy::default_most_waiting,
    std::shared_ptr<loops::event_loop_policy> inner = std::make_shared<loops::default_policy>())
{
    return std::make_shared<loops::bounded_policy>(std::move(inner), most_tasks, most_waiting);
}

// Tasks with numbers, which end when they are told to; used on one thread.
class numbered_tasks
{
    auto begin(int number)
    {
        return [this, number](auto done) {
            started.push_back(number);
            auto shared = std::make_shared<decltype(done)>(std::move(done));
            running_.emplace_back([shared] { (*shared)(); });
        };
    }

    auto end(int number)
    {
        return [this, number](const std::exception_ptr& exception) {
            ended.emplace_back(number, code_of(exception));
        };
    }

public:
    explicit numbered_tasks(loops::event_loop& loop) : loop_(loop) {}

    template <class Wrap>
    void spawn(int number, Wrap wrap)
    {
        loops::spawn(loop_.get_executor(), begin(number), wrap(end(number)));
    }

    void spawn(int number)
    {
        spawn(number, [](auto end) { return end; });
    }

    void try_spawn(int number)
    {
        loops::try_spawn(loop_.get_executor(), begin(number), end(number));
    }

    // Ends the oldest that runs.
    void end_one()
    {
        const auto done = std::move(running_.front());
        running_.erase(running_.begin());
        done();
        turn();
    }

    void turn()
    {
        loop_.restart();
        loop_.poll();
    }

    std::vector<int> started;
    std::vector<std::pair<int, loops::error_code>> ended;

private:
    loops::event_loop& loop_;
    std::vector<std::function<void()>> running_;
};

} // namespace test

#endif
