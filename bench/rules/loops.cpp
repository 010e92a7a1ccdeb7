// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/event_loop.hpp>
#include <loops/loop_clock.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/virtual_time_policy.hpp>
#include <loops/run.hpp>

#include "rules.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <memory>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace rules {
namespace {

word own_loop()
{
    auto* const here = &loops::get_event_loop();
    return yes_or(here != elsewhere([] { return &loops::get_event_loop(); }), "one for all");
}

word dead_loop()
{
    auto mine = std::make_unique<asio::io_context>();
    loops::set_event_loop(*mine);
    mine.reset();
    loops::error_code ec;
    return yes_or(loops::try_get_event_loop(ec) == nullptr && ec, "it still is");
}

word early_stop()
{
    loops::event_loop loop;
    loop.request_stop();
    loop.run_forever();
    asio::post(loop, [] {});
    return yes_or(loop.poll() == 1, "it sticks");
}

word close_running()
{
    loops::event_loop loop;
    loops::error_code ec;
    asio::post(loop, [&] { loop.close(ec); });
    loop.run();
    return yes_or(ec == loops::error::already_running && !loop.is_closed(), "it is closed");
}

word pending()
{
    const auto held = std::make_shared<int>(0);
    loops::event_loop loop;
    asio::post(loop, [held] {});
    loop.close();
    return yes_or(held.use_count() == 1, "it stays");
}

word restores()
{
    auto* const before = &loops::get_event_loop();
    loops::run([] {});
    return yes_or(before == &loops::get_event_loop(), "another one");
}

word in_fork()
{
    int status = 0;
    asio::io_context loop;
    asio::post(loop, [&] {
        const pid_t child = ::fork();
        if (child == 0)
            ::_exit(loops::try_get_running_loop() == nullptr ? 0 : 1);
        ::waitpid(child, &status, 0);
    });
    loops::run_loop(loop);
    return yes_or(status == 0, "the parent's is");
}

word day()
{
    loops::policy_scope scope(std::make_shared<loops::virtual_time_policy>());
    loops::loop_timer timer(loops::get_event_loop(), std::chrono::hours(24));
    bool waited = false;
    timer.async_wait([&](loops::error_code ec) { waited = !ec; });
    loops::run_loop(loops::get_event_loop());
    return yes_or(waited, "it was cut short");
}

word taken()
{
    const auto policy = loops::make_policy("shared:2");
    policy->start();
    const word said = taken_by_another(
        [&](auto handler) { asio::post(policy->select_event_loop(), std::move(handler)); });
    policy->close();
    return said;
}

} // namespace

const subject of_loops = {"Loops", own_loop, dead_loop, early_stop, close_running, pending,
    restores, in_fork, day, taken};

} // namespace rules
