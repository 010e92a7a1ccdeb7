// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_CHILD_WATCHERS_HPP
#define LOOPS_TEST_SUPPORT_CHILD_WATCHERS_HPP

#include <loops/child_watcher.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>

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
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

// What the contract of child watchers is tested with: each case is written once, as a template
// over a setup, and runs for every watcher, with one thread and with four, and with every way to
// wait. A new watcher is one line in `watchers`.

namespace test {

namespace asio = boost::asio;

struct pidfd
{
    static std::shared_ptr<loops::child_watcher> make()
    {
        return std::make_shared<loops::pidfd_child_watcher>();
    }
};

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

// The threads of the library, for waits that have no loop, are started once and kept: before a
// ledger that would count them.
inline void warm_up_background()
{
    static const bool warm = [] {
        pidfd::make()->async_wait(child_that_exits(0), asio::use_future).get();
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

template <class Watcher, std::size_t Threads, class Way = by_callback>
struct setup
{
    using way = Way;
    static std::shared_ptr<loops::child_watcher> make() { return Watcher::make(); }
    static void run(asio::io_context& loop) { test::run(loop, Threads); }
};

// Every watcher, and the numbers of threads.
using setups = std::tuple<setup<pidfd, 1>, setup<pidfd, 4>>;

// The same with every way to wait.
using setups_and_ways = std::tuple<setup<pidfd, 1>, setup<pidfd, 4>, setup<pidfd, 1, by_future>,
    setup<pidfd, 4, by_future>
#if defined(LOOPS_HAS_COROUTINES)
    ,
    setup<pidfd, 1, by_coroutine>, setup<pidfd, 4, by_coroutine>
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
