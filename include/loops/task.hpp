// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TASK_HPP
#define LOOPS_TASK_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {

class startable
{
public:
    virtual ~startable() = default;
    virtual asio::io_context* loop() const noexcept = 0;
    virtual void start(std::function<void()> on_end) = 0;
    virtual void refuse(error_code ec) = 0;
};

} // namespace detail

/// A task that `loops::spawn()` hands to the policy's task factory: to start, now or later, or to
/// refuse. One that is destroyed unstarted is refused with `operation_aborted`.
///
/// @par Thread safety
/// Distinct objects: safe. start() and refuse() may be called on any thread.
class task
{
public:
    /// @cond
    explicit task(std::shared_ptr<detail::startable> what) noexcept : what_(std::move(what)) {}
    /// @endcond

    task(task&&) noexcept = default;

    task& operator=(task&& other) noexcept
    {
        task old(std::move(*this));
        what_ = std::move(other.what_);
        return *this;
    }

    ~task()
    {
        if (what_)
            refuse(asio::error::operation_aborted);
    }

    /// The loop that the task will run on; null where its executor is not a loop's.
    asio::io_context* loop() const noexcept { return what_ ? what_->loop() : nullptr; }

    /// Starts the task, on its own executor.
    /// @param on_end Called once when the task has ended, just before its completion handler.
    void start(std::function<void()> on_end = {})
    {
        std::exchange(what_, nullptr)->start(std::move(on_end));
    }

    /// Completes the task with an error instead of starting it.
    void refuse(error_code ec) { std::exchange(what_, nullptr)->refuse(ec); }

private:
    std::shared_ptr<detail::startable> what_;
};

/// What decides when a spawned task starts: limits, priorities and accounting take hold there.
using task_factory = std::function<void(task)>;

} // namespace LOOPS_ABI
} // namespace loops

#endif
