// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_CHILD_WATCHERS_HPP
#define LOOPS_TEST_SUPPORT_CHILD_WATCHERS_HPP

#include <loops/child_watcher.hpp>
#include <loops/watcher/fast_child_watcher.hpp>
#include <loops/watcher/multi_loop_child_watcher.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>
#include <loops/watcher/safe_child_watcher.hpp>
#include <loops/watcher/threaded_child_watcher.hpp>

#include "support/child_processes.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#endif

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

// What the contract of child watchers is tested with: each case is written once, as a template
// over a setup, and runs with one thread and with four, and with every way to wait. The program runs
// once for each watcher: a new one is a line in make_watcher() and a word in the Jamfile.

namespace test {

namespace asio = boost::asio;

// The watcher whose turn it is, by the argument `watcher=NAME`; pidfd without.
inline std::string_view watcher_name()
{
    constexpr std::string_view key = "watcher=";
    const auto& suite = boost::unit_test::framework::master_test_suite();
    for (int i = 1; i < suite.argc; ++i)
    {
        const std::string_view argument = suite.argv[i];
        if (argument.substr(0, key.size()) == key)
            return argument.substr(key.size());
    }
    return "pidfd";
}

inline std::shared_ptr<loops::child_watcher> make_watcher(std::string_view name = watcher_name())
{
    if (name == "pidfd")
        return std::make_shared<loops::pidfd_child_watcher>();
    if (name == "threaded")
        return std::make_shared<loops::threaded_child_watcher>();
    if (name == "multi_loop")
        return std::make_shared<loops::multi_loop_child_watcher>();
    if (name == "safe")
        return std::make_shared<loops::safe_child_watcher>();
    if (name == "fast")
        return std::make_shared<loops::fast_child_watcher>();
    throw std::invalid_argument("there is no watcher '" + std::string(name) + "'");
}

// Whether it has a descriptor for each child; whether it is active without an attachment; whether it
// reaps children that nobody registered.
inline bool has_descriptors()
{
    return watcher_name() == "pidfd";
}
inline bool needs_attachment()
{
    return watcher_name() == "safe" || watcher_name() == "fast";
}
inline bool reaps_everyone()
{
    return watcher_name() == "fast";
}
inline bool sees_states()
{
    return watcher_name() == "safe" || watcher_name() == "multi_loop";
}

// What a wait ended with. Written on a loop's thread, read when the loops have ended.
class outcome
{
public:
    std::size_t calls() const
    {
        const std::lock_guard lock(mutex_);
        return calls_;
    }
    loops::error_code ec() const
    {
        const std::lock_guard lock(mutex_);
        return ec_;
    }
    loops::child_exit exit() const
    {
        const std::lock_guard lock(mutex_);
        return exit_;
    }
    void end(const loops::error_code& ec, const loops::child_exit& exit)
    {
        const std::lock_guard lock(mutex_);
        ++calls_;
        ec_ = ec;
        exit_ = exit;
    }

private:
    mutable std::mutex mutex_;
    std::size_t calls_ = 0;
    loops::error_code ec_;
    loops::child_exit exit_;
};

using outcome_ptr = std::shared_ptr<outcome>;

// A case that is about what somebody else in the process reaps does not apply to a watcher that reaps
// everyone.
inline bool nobody_else_reaps(const char* which)
{
    if (reaps_everyone())
        skipped(which, "this watcher reaps every child before anybody else can");
    return reaps_everyone();
}

// A case about a watcher that was never attached.
inline bool is_not_without_attachment(const char* which)
{
    if (needs_attachment())
        skipped(which, "this watcher is active once attached, and keeps such waits until then");
    return needs_attachment();
}

// Whether a wait for a child of that code ended as it is to, where somebody else took the status
// (`taken`, or -1: the watcher was faster). A pidfd may tell it all the same, by the kernel's version.
inline bool told_of_somebody_else(const outcome& result, int taken, int code)
{
    if (taken < 0 || (has_descriptors() && !result.ec()))
        return !result.ec() && result.exit().returncode() == code;
    return result.ec() == loops::error::child_status_lost;
}

// The threads of the library, for waits that have no loop, are started once and kept: before a
// ledger that would count them.
inline void warm_up_background()
{
    static const bool warm = [] {
        make_watcher("pidfd")->async_wait(child_that_exits(0), asio::use_future).get();
        return true;
    }();
    BOOST_REQUIRE(warm);
}

// A handler that is to be destroyed uncalled, and tells when it is.
struct tells_its_end
{
    std::shared_ptr<int> alive = std::make_shared<int>();
    void operator()(loops::error_code, const loops::child_exit&) const { std::abort(); }
};

// A handler that writes down how it ended.
struct recorder
{
    outcome_ptr result = std::make_shared<outcome>();

    void operator()(loops::error_code ec, loops::child_exit exit) const { result->end(ec, exit); }
};

// Ways to wait on a loop. The outcome is there when the loop is out of work, and finish() ran.
struct by_callback
{
    outcome_ptr start(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
    {
        const recorder record;
        watcher.async_wait(pid, asio::bind_executor(loop.get_executor(), record));
        return record.result;
    }
    void finish() {}
};

class by_future
{
public:
    outcome_ptr start(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
    {
        auto result = std::make_shared<outcome>();
        waits_.emplace_back(result,
            watcher.async_wait(pid, asio::bind_executor(loop.get_executor(), asio::use_future)));
        return result;
    }
    void finish()
    {
        for (auto& [result, wait] : waits_)
        {
            try
            {
                result->end(loops::error_code(), wait.get());
            }
            catch (const loops::system_error& e)
            {
                result->end(e.code(), loops::child_exit());
            }
        }
        waits_.clear();
    }

private:
    std::vector<std::pair<outcome_ptr, std::future<loops::child_exit>>> waits_;
};

#if defined(LOOPS_HAS_COROUTINES)
struct by_coroutine
{
    outcome_ptr start(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
    {
        auto result = std::make_shared<outcome>();
        asio::co_spawn(loop, wait(watcher, pid, result), asio::detached);
        return result;
    }
    void finish() {}

    static asio::awaitable<void> wait(loops::child_watcher& watcher, pid_t pid, outcome_ptr result)
    {
        const auto [ec, exit] =
            co_await watcher.async_wait(pid, asio::as_tuple(asio::use_awaitable));
        result->end(ec, exit);
    }
};
#endif

inline void run(asio::io_context& loop, std::size_t threads)
{
    loop.restart();
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < threads; ++i)
        others.emplace_back([&] { loop.run(); });
    loop.run();
    for (std::thread& other : others)
        other.join();
}

template <std::size_t Threads, class Way = by_callback>
struct setup
{
    using way = Way;
    static std::shared_ptr<loops::child_watcher> make() { return make_watcher(); }
    static void run(asio::io_context& loop) { test::run(loop, Threads); }
};

// The numbers of threads.
using setups = std::tuple<setup<1>, setup<4>>;

// The same with every way to wait.
using setups_and_ways = std::tuple<setup<1>, setup<4>, setup<1, by_future>, setup<4, by_future>
#if defined(LOOPS_HAS_COROUTINES)
    ,
    setup<1, by_coroutine>, setup<4, by_coroutine>
#endif
    >;

// How often a race is tried: a number that takes a second or so; LOOPS_TEST_ROUNDS=full: ten times
// that.
inline std::size_t rounds(std::size_t few)
{
    const char* const set = std::getenv("LOOPS_TEST_ROUNDS");
    return set != nullptr && std::string_view(set) == "full" ? few * 10 : few;
}

} // namespace test

#endif
