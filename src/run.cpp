// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/run.hpp>

#include "detail/crew.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"
#include "platform/system.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

namespace {

// How often who waits for a thread of a policy looks whether that is still there.
constexpr std::chrono::milliseconds glance{20};

bool wait_until_done(event_loop& loop, const std::function<void()>& start,
    const std::function<bool(std::chrono::milliseconds)>& done)
{
    if (loop.get_executor().running_in_this_thread())
        throw_error(error::already_running,
            "waiting for a coroutine on loop '" + loop.name() + "' inside of one of its own " +
                "handlers on " + platform::describe_thread() + "; spawn it there instead");
    if (!loop.is_running())
        throw_error(error::no_running_event_loop,
            "waiting for a coroutine on loop '" + loop.name() + "' on " +
                platform::describe_thread() +
                "; the policy whose thread ran it was stopped or closed: make a new loop");
    start();
    while (!done(glance))
    {
        if (!loop.is_running())
            return done(std::chrono::milliseconds(0));
    }
    return true;
}

} // namespace

bool run_until_done(event_loop& loop, const std::function<void()>& start,
    const std::function<bool(std::chrono::milliseconds)>& done)
{
    if (loop_access::has_own_thread(loop))
        return wait_until_done(loop, start, done);
    const run_scope scope(loop);
    const work_hold keep(scope.record());
    start();
    while (!done(std::chrono::milliseconds(0)))
    {
        if (drive(scope.record(), run_mode::one) == 0)
            return false;
    }
    return true;
}

namespace {

// The end of what a runner has run: every task is asked to end, and waited for.
class finishing
{
public:
    explicit finishing(loop_record& record) : record_(record)
    {
        record_.set_finishing(true);
        record_.cancel_tasks();
    }

    finishing(const finishing&) = delete;
    finishing& operator=(const finishing&) = delete;

    ~finishing() { record_.set_finishing(false); }

    // Gives the first exception that left a handler meanwhile.
    std::exception_ptr run()
    {
        run_until([this] { return record_.tasks.load(std::memory_order_acquire) == 0; });
        // What the last task has queued: its completion, or its exception.
        const auto passed = std::make_shared<bool>(false);
        asio::post(*record_.context(), [passed] { *passed = true; });
        run_until([&] { return *passed; });
        return first_;
    }

private:
    template <class Done>
    void run_until(Done done)
    {
        while (!done())
        {
            try
            {
                if (drive(record_, run_mode::one) > 0)
                    continue;
            }
            catch (...)
            {
                if (!first_)
                    first_ = std::current_exception();
                continue;
            }
            // Stopped by a handler, which does not end the wait; or there is nothing to wait for.
            asio::io_context& loop = *record_.context();
            loop.restart();
            asio::make_work_guard(loop).reset();
            if (loop.stopped())
                return;
        }
    }

    loop_record& record_;
    std::exception_ptr first_;
};

// A loop that the caller runs.
std::unique_ptr<event_loop> without_thread(std::unique_ptr<event_loop> loop)
{
    if (const auto threads = loop_access::take_threads(*loop))
    {
        threads->remove(*loop);
        loop->restart();
    }
    return loop;
}

} // namespace
} // namespace detail

runner::runner()
    : policy_(get_event_loop_policy()), loop_(detail::without_thread(policy_->new_callers_loop()))
{}

runner::~runner()
{
    try
    {
        close();
    }
    catch (...) // what a cancelled task throws on the way has nobody left to hear it
    {}
}

event_loop& runner::get_loop()
{
    if (!loop_)
        detail::throw_error(error::loop_closed, "using a runner after close(); make a new one");
    return *loop_;
}

void runner::check_outside() const
{
    if (try_get_running_loop() != nullptr)
        detail::throw_error(
            error::already_running, "running a main task inside of a loop that runs on " +
                                        platform::describe_thread() + "; spawn it there instead");
}

void runner::run_dry()
{
    get_loop().restart();
    loop_->run();
}

std::exception_ptr runner::finish_tasks()
{
    const auto record = detail::record_of(get_loop());
    if (record->tasks.load(std::memory_order_acquire) == 0)
        return nullptr;
    const detail::run_scope scope(*loop_);
    loop_->restart();
    return detail::finishing(*record).run();
}

void runner::finish()
{
    if (const auto exception = finish_tasks())
        std::rethrow_exception(exception);
}

void runner::close()
{
    if (!loop_)
        return;
    const auto exception = finish_tasks();
    loop_->close();
    loop_.reset();
    if (exception)
        std::rethrow_exception(exception);
}

} // namespace LOOPS_ABI
} // namespace loops
