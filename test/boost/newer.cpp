// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Compiles where Boost.Process is at the places that newer Boosts have, and Asio has a default token and
// immediate executors.

#define LOOPS_WITH_BOOST_PROCESS_V1
#define LOOPS_WITH_BOOST_PROCESS_ENVIRONMENT

#include <loops.hpp>
#include <loops/detail/boost_process.hpp>
#include <loops/process/launcher.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/system_executor.hpp>

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace v1 = loops::detail::boost_process_v1;
namespace v2 = boost::process::v2;
namespace asio = boost::asio;

void waits(loops::child_watcher& watcher, asio::io_context& loop)
{
    const auto handler = [](loops::error_code, const loops::child_exit&) {};
    v1::child first(
        v1::exe = "/bin/true", v1::args = {"unused"}, loop,
        v1::on_exit = [](int, const std::error_code&) {});
    watcher.async_wait(std::move(first), handler);
    v2::process second = loops::launcher()(loop, "/bin/true", std::vector<std::string>());
    watcher.async_wait(std::move(second))(handler);
    watcher.async_wait(1)(handler);
    watcher.async_wait_state(1)([](loops::error_code, loops::child_state) {});
}

void runs(const loops::command& what, loops::process_group& group, loops::supervisor& all)
{
    const auto done = [](loops::error_code) {};
    const auto result = [](loops::error_code, const loops::run_result&) {};
    const auto ended = [](loops::error_code, const loops::child_exit&) {};
    loops::async_run(what)(result);
    loops::async_run(what, loops::run_options())(result);
    loops::async_run(loops::pipeline{what, what}, loops::run_options())(
        [](loops::error_code, const std::vector<loops::run_result>&) {});
    group.async_run(what)(ended);
    group.async_wait_all()(done);
    group.async_wait_any()(ended);
    all.async_run()(done);
    all.async_wait_ready()(done);
    all.async_restart()(done);
}

struct at_once
{
    using immediate_executor_type = asio::system_executor;
    immediate_executor_type get_immediate_executor() const noexcept { return {}; }
    void operator()(const std::exception_ptr&) const {}
};

void others(loops::event_loop_policy& policy, asio::io_context& loop, loops::file_watcher& files,
    loops::descriptor_watcher& descriptors, loops::process_watcher& processes,
    loops::placing_acceptor<asio::ip::tcp>& acceptor)
{
    const auto ended = [](const std::exception_ptr&) {};
    loops::async_invoke(loop, [] {})(ended);
    loops::async_invoke(
        loop, [] {}, at_once());
    loops::async_broadcast(policy, [] {})(ended);
    loops::async_migrate(asio::ip::tcp::socket(loop), loop)(
        [](loops::error_code, asio::ip::tcp::socket) {});
    loops::spawn(loop.get_executor(), [](auto task_ended) { task_ended(nullptr); })(ended);
    loops::try_spawn(loop.get_executor(), [](auto task_ended) { task_ended(nullptr); })(ended);
    files.async_wait()([](loops::error_code, const loops::file_event&) {});
    descriptors.async_wait(0, {})([](loops::error_code, loops::descriptor_events) {});
    processes.async_wait()([](loops::error_code, const loops::process_event&) {});
    acceptor.async_accept()([](loops::error_code, asio::ip::tcp::socket, loops::lease) {});
}

#if defined(LOOPS_HAS_COROUTINES)
void tasks(asio::io_context& loop, asio::awaitable<int> (*task)())
{
    const auto ended = [](const std::exception_ptr&, int) {};
    loops::spawn(loop.get_executor(), task())(ended);
    loops::spawn(task())(ended);
    loops::try_spawn(loop.get_executor(), task())(ended);
    loops::try_spawn(task())(ended);
    loops::spawn(task(), asio::detached);
}
#endif
