// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_RACE_HPP
#define LOOPS_TEST_SUPPORT_RACE_HPP

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace test {

// How often a race with real processes is tried: LOOPS_TEST_ROUNDS=thousand, or full: ten times the
// few.
inline std::size_t race_rounds(std::size_t few = 30)
{
    const char* const set = std::getenv("LOOPS_TEST_ROUNDS");
    return set != nullptr && std::string_view(set) == "thousand" ? 1000 : rounds(few);
}

// A loop that runs on the threads of a setup until it is told to end.
template <class Setup>
class running_loop
{
public:
    running_loop() : thread_([this] { Setup::run(loop); }) {}
    running_loop(const running_loop&) = delete;
    running_loop& operator=(const running_loop&) = delete;
    ~running_loop() { end(); }

    void end()
    {
        work_.reset();
        if (thread_.joinable())
            thread_.join();
    }

    asio::io_context loop;

private:
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop);
    std::thread thread_;
};

// Runs all of them at a time, each on a thread of its own, and waits for them.
inline void at_a_time(const std::vector<std::function<void()>>& functions)
{
    std::atomic<std::size_t> missing{functions.size()};
    std::vector<std::thread> threads;
    for (const auto& each : functions)
    {
        threads.emplace_back([&] {
            --missing;
            while (missing > 0)
                std::this_thread::yield();
            each();
        });
    }
    for (std::thread& thread : threads)
        thread.join();
}

// A registration whose handler is called, or destroyed uncalled.
class registration
{
public:
    auto handler()
    {
        return
            [it = it_](loops::error_code ec, const loops::child_exit& exit) { it->end(ec, exit); };
    }

    bool was_called() const { return it_->calls() > 0; }
    // No handler is left.
    bool has_ended() const { return it_.use_count() == 1; }
    const outcome& result() const { return *it_; }

private:
    outcome_ptr it_ = std::make_shared<outcome>();
};

inline bool all_ended(const std::vector<registration>& all)
{
    return std::all_of(
        all.begin(), all.end(), [](const registration& each) { return each.has_ended(); });
}

} // namespace test

#endif
