// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/shared_policy.hpp>

#include "detail/crew.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <typeinfo>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

std::size_t checked(std::size_t threads)
{
    if (threads == 0)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "running a shared loop with no threads; give 1 or more");
    return threads;
}

} // namespace

shared_policy::shared_policy(std::size_t threads) : threads_(checked(threads)) {}

shared_policy::shared_policy(asio::io_context& loop, std::size_t threads)
    : threads_(checked(threads))
{
    shared_policy::set_event_loop(&loop);
}

shared_policy::~shared_policy()
{
    std::vector<std::unique_ptr<event_loop>> loops;
    if (made_)
        loops.push_back(std::move(made_));
    detail::tear_down(core(), std::move(loops));
}

std::string shared_policy::name() const
{
    return "shared";
}

asio::io_context& shared_policy::get_event_loop()
{
    check_open("asking for the current loop");
    if (asio::io_context* const loop = existing_event_loop())
        return *loop;
    // Made outside the lock: a user's factory may come back here.
    std::unique_ptr<event_loop> made = make_loop("shared");
    const std::lock_guard lock(mutex_);
    if (current_ && current_->context() != nullptr)
        return *current_->context(); // another thread was faster
    if (current_ || emptied_)
        detail::throw_error(error::no_current_event_loop,
            "asking policy '" + name() + "' for the loop on " + platform::describe_thread() +
                "; it was taken away or has died: set one with set_event_loop()");
    made_ = std::move(made);
    current_ = detail::record_of(*made_);
    return *made_;
}

asio::io_context* shared_policy::existing_event_loop() noexcept
{
    const std::lock_guard lock(mutex_);
    return current_ ? current_->context() : nullptr;
}

void shared_policy::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    auto record = loop != nullptr ? detail::record_of(*loop) : nullptr;
    if (record && record->context() == nullptr)
        detail::throw_error(error::loop_closed, "setting " + record->describe() + " as the loop " +
                                                    "of policy '" + name() + "'; make a new loop");
    std::unique_ptr<event_loop> going;
    {
        const std::lock_guard lock(mutex_);
        if (core()->threads->busy())
            detail::throw_error(error::already_running,
                "replacing the loop of policy '" + name() + "' while it runs; stop it first");
        current_ = std::move(record);
        emptied_ = loop == nullptr;
        if (made_.get() != loop)
            going = std::move(made_);
    }
    detail::next_loop_epoch();
}

void shared_policy::start()
{
    check_open("starting the policy");
    if (!core()->threads->busy())
        start(threads_);
}

void shared_policy::run_started(std::uint64_t)
{
    join();
}

void shared_policy::run(std::size_t threads)
{
    start(threads);
    join();
}

void shared_policy::start(std::size_t threads)
{
    check_open("running the policy");
    checked(threads);
    if (core()->threads->busy())
        detail::throw_error(error::already_running, "running policy '" + name() + "' on " +
                                                        platform::describe_thread() +
                                                        "; it runs already: stop or join it first");
    core()->draining = false;
    asio::io_context& loop = get_event_loop();
    try
    {
        for (std::size_t i = 0; i < threads; ++i)
            core()->threads->start(loop, {name() + "-" + std::to_string(i), {}, {}, {}});
    }
    catch (...)
    {
        core()->threads->stop();
        core()->threads->join_quietly();
        throw;
    }
}

void shared_policy::close()
{
    event_loop_policy::close();
    std::unique_ptr<event_loop> going;
    {
        const std::lock_guard lock(mutex_);
        current_.reset();
        going = std::move(made_);
    }
    detail::next_loop_epoch();
}

bool shared_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(shared_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
