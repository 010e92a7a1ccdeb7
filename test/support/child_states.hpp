// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_CHILD_STATES_HPP
#define LOOPS_TEST_SUPPORT_CHILD_STATES_HPP

#include <loops/child_state.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"

#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

namespace test {

// What a wait for a state ended with.
struct told
{
    std::mutex mutex;
    std::size_t calls = 0;
    loops::error_code ec;
    loops::child_state state;

    bool has_ended()
    {
        const std::lock_guard lock(mutex);
        return calls > 0;
    }
    void end(const loops::error_code& code, const loops::child_state& last)
    {
        const std::lock_guard lock(mutex);
        ++calls;
        ec = code;
        state = last;
    }
};

using told_ptr = std::shared_ptr<told>;

struct state_by_callback
{
    told_ptr start(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
    {
        auto result = std::make_shared<told>();
        watcher.async_wait_state(pid, asio::bind_executor(loop.get_executor(),
                                          [result](loops::error_code ec, loops::child_state state) {
                                              result->end(ec, state);
                                          }));
        return result;
    }
    void finish() {}
};

class state_by_future
{
public:
    told_ptr start(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
    {
        auto result = std::make_shared<told>();
        waits_.emplace_back(
            result, watcher.async_wait_state(
                        pid, asio::bind_executor(loop.get_executor(), asio::use_future)));
        return result;
    }
    void finish()
    {
        for (auto& each : waits_)
        {
            loops::child_state state;
            const auto ec = error_of([&] { state = each.second.get(); });
            each.first->end(ec, state);
        }
        waits_.clear();
    }

private:
    std::vector<std::pair<told_ptr, std::future<loops::child_state>>> waits_;
};

#if defined(LOOPS_HAS_COROUTINES)
struct state_by_coroutine
{
    told_ptr start(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
    {
        auto result = std::make_shared<told>();
        asio::co_spawn(loop, wait(watcher, pid, result), asio::detached);
        return result;
    }
    void finish() {}

    static asio::awaitable<void> wait(loops::child_watcher& watcher, pid_t pid, told_ptr result)
    {
        const auto [ec, state] =
            co_await watcher.async_wait_state(pid, asio::as_tuple(asio::use_awaitable));
        result->end(ec, state);
    }
};
#endif

using state_setups = std::tuple<setup<1, state_by_callback>, setup<4, state_by_callback>,
    setup<1, state_by_future>, setup<4, state_by_future>
#if defined(LOOPS_HAS_COROUTINES)
    ,
    setup<1, state_by_coroutine>, setup<4, state_by_coroutine>
#endif
    >;

// Waits for one state.
template <class Setup>
told_ptr next_state(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
{
    typename Setup::way way;
    const auto result = way.start(watcher, loop, pid);
    Setup::run(loop);
    way.finish();
    return result;
}

// Waits until that happened to a child, and leaves it to be told.
inline void until(pid_t pid, int what)
{
    siginfo_t info{};
    require(::waitid(P_PID, static_cast<id_t>(pid), &info, what | WNOWAIT) == 0, "waitid");
}

// A case does not apply to a watcher that sees no states.
inline bool sees_none(const char* which)
{
    if (!sees_states())
        skipped(which, "this watcher does not see stops");
    return !sees_states();
}

inline pid_t child_that_pauses()
{
    return start_child([] {
        ::alarm(120);
        for (;;)
            ::pause();
        return 0;
    });
}

} // namespace test

#endif
