// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "runner.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>

#include <chrono>
#include <csignal>
#include <string_view>
#include <utility>

namespace task_runner {
namespace {

namespace asio = boost::asio;

std::string in_words(const loops::error_code& ec, const loops::child_exit& exit)
{
    if (ec == asio::error::timed_out)
        return "timeout";
    if (ec == asio::error::operation_aborted)
        return "stopped";
    if (ec)
        return ec.message();
    if (exit.signaled())
        return "signal " + std::to_string(exit.term_signal());
    return exit.exit_code() == 0 ? "ok" : "exit " + std::to_string(exit.exit_code());
}

} // namespace

runner::runner(asio::io_context& loop, const options& from, std::function<void()> on_end)
    : loop_(loop), from_(from), on_end_(std::move(on_end)), timer_(loop), ends_(from.tasks.size())
{
    for (std::size_t task = 0; task != ends_.size(); ++task)
        ends_[task].task = from.tasks[task];
}

void runner::start()
{
    start_next();
    if (progress_.is_live())
        keep_showing();
}

void runner::start_next()
{
    while (!stopped_ && next_ != from_.tasks.size() && running_.size() != from_.jobs)
    {
        const std::size_t task = next_++;
        loops::command shell("/bin/sh", {"-c", from_.tasks[task]});
        shell.parent_death_signal = SIGKILL; // where this program cannot stop it
        loops::async_run(std::move(shell), options_of(task),
            asio::bind_cancellation_slot(running_[task].slot(),
                asio::bind_executor(loop_.get_executor(),
                    [this, task](const loops::error_code& ec, const loops::run_result& result) {
                        ended(task, ec, result);
                    })));
    }
    show();
    if (running_.empty())
    {
        timer_.cancel();
        on_end_();
    }
}

// Nothing that a task has started outlives it, where the machine lets us have cgroups.
loops::run_options runner::options_of(std::size_t task)
{
    loops::run_options made;
    made.deadline = from_.timeout;
    made.stop = {{SIGTERM, std::chrono::seconds(2)}, {SIGKILL, {}}};
    made.tree.kind = loops::process_tree::cgroup;
    made.on_output = [this, task](std::string_view line) { progress_.output(task, line); };
    made.on_error = made.on_output;
    return made;
}

void runner::ended(std::size_t task, const loops::error_code& ec, const loops::run_result& result)
{
    task_end& end = ends_[task];
    end.how = in_words(ec, result.exit);
    end.succeeded = !ec && result.exit.returncode() == 0;
    end.elapsed = result.elapsed;
    running_.erase(task);
    progress_.ended(task, end);
    if (!end.succeeded)
        ++failed_;
    if (!end.succeeded && from_.fail_fast)
        stop();
    start_next();
}

void runner::stop()
{
    stopped_ = true;
    for (auto& each : running_)
        each.second.emit(asio::cancellation_type::terminal);
}

void runner::show()
{
    std::string names;
    for (const auto& each : running_)
        names += (names.empty() ? "" : " | ") + from_.tasks[each.first];
    progress_.show({from_.tasks.size(), running_.size(), next_ - running_.size(), failed_}, names);
}

void runner::keep_showing()
{
    timer_.expires_after(std::chrono::milliseconds(200));
    timer_.async_wait([this](const loops::error_code& ec) {
        if (ec || running_.empty())
            return;
        show();
        keep_showing();
    });
}

} // namespace task_runner
