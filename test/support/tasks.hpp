// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_TASKS_HPP
#define LOOPS_TEST_SUPPORT_TASKS_HPP

#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/spawn.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

// Tasks for main tasks to leave behind, on the loop that runs.

namespace test {

namespace asio = boost::asio;

inline loops::event_loop& running_loop()
{
    return static_cast<loops::event_loop&>(loops::get_running_loop());
}

// A task that waits for an hour, and once more for a moment after it was told to end.
template <class Token>
void spawn_slow_to_end(bool& ended, Token&& token)
{
    auto timer = std::make_shared<asio::steady_timer>(running_loop(), std::chrono::hours(1));
    loops::spawn(
        running_loop().get_executor(),
        [timer, &ended](auto done) {
            auto end = std::make_shared<decltype(done)>(std::move(done));
            timer->async_wait(asio::bind_cancellation_slot(
                end->get_cancellation_slot(), [timer, end, &ended](loops::error_code) {
                    timer->expires_after(std::chrono::milliseconds(5));
                    timer->async_wait([timer, end, &ended](loops::error_code) {
                        ended = true;
                        (*end)();
                    });
                }));
        },
        std::forward<Token>(token));
}

// A task that waits for an hour, or ends at once when it is told to.
template <class Token>
void spawn_sleeper(Token&& token)
{
    auto timer = std::make_shared<asio::steady_timer>(running_loop(), std::chrono::hours(1));
    loops::spawn(
        running_loop().get_executor(),
        [timer](auto done) {
            auto end = std::make_shared<decltype(done)>(std::move(done));
            timer->async_wait(asio::bind_cancellation_slot(
                end->get_cancellation_slot(), [timer, end](loops::error_code ec) { (*end)(ec); }));
        },
        std::forward<Token>(token));
}

// A task that ends with an exception of its own when it is told to end.
inline void spawn_thrower(const char* what)
{
    auto timer = std::make_shared<asio::steady_timer>(running_loop(), std::chrono::hours(1));
    loops::spawn(
        running_loop().get_executor(),
        [timer, what](auto done) {
            auto end = std::make_shared<decltype(done)>(std::move(done));
            timer->async_wait(asio::bind_cancellation_slot(
                end->get_cancellation_slot(), [timer, end, what](loops::error_code) {
                    (*end)(std::make_exception_ptr(std::runtime_error(what)));
                }));
        },
        asio::detached);
}

// Ends the main task once the tasks that it has spawned have started.
inline void stop_soon()
{
    asio::post(running_loop(), [] { running_loop().request_stop(); });
}

template <class F>
std::string what_is_thrown(F f)
{
    try
    {
        f();
    }
    catch (const std::exception& e)
    {
        return e.what();
    }
    return "nothing";
}

} // namespace test

#endif
