// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TASK_HPP
#define LOOPS_TASK_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

class task;

/// What decides when a spawned task starts: limits, priorities and accounting take hold there.
using task_factory = std::function<void(task)>;

namespace detail {

class startable
{
public:
    virtual ~startable() = default;
    virtual asio::io_context* loop() const noexcept = 0;
    virtual bool may_wait() const noexcept = 0;
    virtual void on_end(std::function<void()> function) = 0;
    virtual void on_cancel(std::function<void()> function) = 0;
    virtual void start() = 0;
    virtual void refuse(error_code ec) = 0;
    // Around the call of a factory; `failure` is what left it.
    virtual void passing() noexcept = 0;
    virtual void passed(std::exception_ptr failure) = 0;
};

} // namespace detail

/// A task that `loops::spawn()` hands to the policy's task factory: to start, now or later, or to
/// refuse. One that is destroyed unstarted is refused with `operation_aborted`.
///
/// A factory that holds tasks back says by on_cancel() how it lets go of one. One that wraps another
/// adds its on_end(), and then passes the task on.
///
/// @par Thread safety
/// Distinct objects: safe. start(), refuse() and pass_to() may be called on any thread.
class task
{
public:
    /// @cond
    explicit task(std::shared_ptr<detail::startable> what) noexcept : what_(std::move(what)) {}
    /// @endcond

    /// Takes the other's task; the other may only be assigned to or destroyed.
    task(task&&) noexcept = default;

    /// The same; a task that this one had is refused with `operation_aborted`.
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

    /// Whether the task may be held back. One of `loops::try_spawn()` may not: start it, or refuse it
    /// with `error::queue_full`.
    bool may_wait() const noexcept { return what_->may_wait(); }

    /// Adds a function that is called once when the task has ended, started or not, just before its
    /// completion handler. A task that goes with its loop does not complete: the function is
    /// destroyed uncalled. It must not throw. What was added last is called first.
    void on_end(std::function<void()> function) { what_->on_end(std::move(function)); }

    /// Says how to let go of the task while it is held back, instead of what was said before.
    ///
    /// @param function Called once when the task is to end: by the cancellation slot of its
    /// completion handler, whatever the type, or by a runner that finishes; inside of this function
    /// where that has happened already. Destroy the task there, or refuse it. It is called on any
    /// thread, and possibly while start() or refuse() is: look whether the task is still there. A
    /// task that is let start although it was to end does not run, and ends with
    /// `operation_aborted`.
    void on_cancel(std::function<void()> function)
    {
        const std::shared_ptr<detail::startable> what = what_; // the function may destroy the task
        what->on_cancel(std::move(function));
    }

    /// Starts the task, on its own executor. Where that fails it completes with the exception.
    void start() { std::exchange(what_, nullptr)->start(); }

    /// Completes the task with an error instead of starting it.
    void refuse(error_code ec) { std::exchange(what_, nullptr)->refuse(ec); }

    /// Hands the task on to a factory, as `loops::spawn()` does; starts it where that is empty. A
    /// task that the factory drops by throwing completes with that exception; where it has the task
    /// no more, the exception leaves a handler of the task's loop.
    void pass_to(const task_factory& next)
    {
        if (!next)
        {
            start();
            return;
        }
        const std::shared_ptr<detail::startable> what = what_;
        what->passing();
        std::exception_ptr failure;
        try
        {
            next(std::move(*this));
        }
        catch (...)
        {
            failure = std::current_exception();
        }
        what->passed(std::move(failure));
    }

private:
    std::shared_ptr<detail::startable> what_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
