// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/run.hpp>

#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"
#include "platform/system.hpp"

#include <boost/asio/post.hpp>

#include <future>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

bool run_until_done(event_loop& loop, const std::function<bool()>& done)
{
    if (loop_access::has_own_thread(loop))
        return true; // asking for the result waits for it
    const run_scope scope(loop);
    while (!done())
    {
        if (drive(scope.record(), run_mode::one) == 0)
            return false;
    }
    return true;
}

namespace {

bool has_tasks(event_loop& loop)
{
    return record_of(loop)->tasks.load(std::memory_order_acquire) > 0;
}

} // namespace
} // namespace detail

runner::runner() : policy_(get_event_loop_policy()), loop_(policy_->new_event_loop()) {}

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

// Until the loop is out of work; where a thread of the policy runs it, until what is queued now
// has run.
void runner::run_dry()
{
    if (!detail::loop_access::has_own_thread(get_loop()))
    {
        loop_->restart();
        loop_->run();
        return;
    }
    std::promise<void> marker;
    const auto passed = marker.get_future();
    asio::post(*loop_, [marker = std::move(marker)]() mutable { marker.set_value(); });
    passed.wait();
}

void runner::finish()
{
    detail::cancel_tasks(get_loop());
    if (detail::loop_access::has_own_thread(*loop_))
    {
        while (detail::has_tasks(*loop_))
            run_dry();
        return;
    }
    loop_->restart();
    const detail::run_scope scope(*loop_);
    while (detail::has_tasks(*loop_) && detail::drive(scope.record(), detail::run_mode::one) > 0)
    {}
}

void runner::close()
{
    if (!loop_)
        return;
    const auto loop = std::move(loop_);
    loop->close();
}

} // namespace LOOPS_ABI
} // namespace loops
