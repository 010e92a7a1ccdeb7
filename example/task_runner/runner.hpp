// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef TASK_RUNNER_RUNNER_HPP
#define TASK_RUNNER_RUNNER_HPP

#include <loops/process/async_run.hpp>

#include "options.hpp"
#include "progress.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <vector>

namespace task_runner {

/// Runs tasks, so many at a time. All of it happens on one loop, by one thread.
class runner
{
public:
    /// @param on_end Called when all have ended.
    runner(boost::asio::io_context& loop, const options& from, std::function<void()> on_end);

    void start();

    /// Starts no more tasks, and stops those that run.
    void stop();

    /// How the tasks ended, in their order; those that were never started have no words.
    const std::vector<task_end>& ends() const noexcept { return ends_; }

private:
    void start_next();
    loops::run_options options_of(std::size_t task);
    void ended(std::size_t task, const loops::error_code& ec, const loops::run_result& result);
    void show();
    void keep_showing();

    boost::asio::io_context& loop_;
    const options& from_;
    const std::function<void()> on_end_;
    progress progress_;
    boost::asio::steady_timer timer_;
    std::size_t next_ = 0;
    std::size_t failed_ = 0;
    std::map<std::size_t, boost::asio::cancellation_signal> running_;
    std::vector<task_end> ends_;
    bool stopped_ = false;
};

} // namespace task_runner

#endif
