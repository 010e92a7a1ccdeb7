// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/shared_policy.hpp>

#include "detail/crew.hpp"
#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <mutex>
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

struct shared_policy::impl
{
    explicit impl(std::size_t how_many) : threads(how_many) {}

    const std::size_t threads;
    detail::fork_mutex mutex; // guards what follows
    std::unique_ptr<event_loop> made;
    std::shared_ptr<detail::loop_record> current;
    bool emptied = false; // somebody took the loop away, or the adopted one has died

    // The live current loop, or null. In a forked child the parent's is nobody's.
    asio::io_context* find()
    {
        if (current && !current->belongs_here())
        {
            detail::leave_behind(std::shared_ptr<event_loop>(std::move(made)));
            current.reset();
            emptied = false;
        }
        asio::io_context* const loop = current ? current->context() : nullptr;
        emptied = emptied || (current && loop == nullptr);
        return loop;
    }
};

shared_policy::shared_policy(std::size_t threads) : impl_(std::make_unique<impl>(checked(threads)))
{}

shared_policy::shared_policy(asio::io_context& loop, std::size_t threads) : shared_policy(threads)
{
    shared_policy::set_event_loop(&loop);
}

shared_policy::~shared_policy()
{
    std::vector<std::unique_ptr<event_loop>> loops;
    if (impl_->made)
        loops.push_back(std::move(impl_->made));
    detail::tear_down(core(), std::move(loops));
}

std::string shared_policy::name() const
{
    return "shared";
}

asio::io_context& shared_policy::get_event_loop()
{
    check_open("asking for the current loop");
    {
        const std::lock_guard lock(impl_->mutex);
        if (asio::io_context* const loop = impl_->find())
            return *loop;
        if (impl_->emptied)
            detail::throw_error(error::no_current_event_loop,
                "asking policy '" + name() + "' for the loop on " + platform::describe_thread() +
                    "; it was taken away or has died: set one with set_event_loop()");
    }
    // Made outside the lock: a user's factory may come back here.
    std::unique_ptr<event_loop> made = make_loop("shared");
    const std::lock_guard lock(impl_->mutex);
    if (asio::io_context* const loop = impl_->find())
        return *loop; // another thread was faster
    impl_->made = std::move(made);
    impl_->current = detail::record_of(*impl_->made);
    return *impl_->made;
}

asio::io_context* shared_policy::existing_event_loop() noexcept
{
    const std::lock_guard lock(impl_->mutex);
    return impl_->find();
}

// The loop that the policy made cannot be destroyed below those who run it.
void shared_policy::check_no_caller_runs(const char* attempted) const
{
    const std::lock_guard lock(impl_->mutex);
    if (impl_->made && impl_->find() != nullptr &&
        detail::record_of(*impl_->made)->runners() > core()->threads()->members_in(*impl_->made))
        detail::throw_error(error::already_running,
            std::string(attempted) + " policy '" + name() + "' on " + platform::describe_thread() +
                " while callers run its loop; let their runs return first");
}

void shared_policy::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    auto record = loop != nullptr ? detail::record_of(*loop) : nullptr;
    if (record && record->context() == nullptr)
        detail::throw_error(error::loop_closed, "setting " + record->describe() + " as the loop " +
                                                    "of policy '" + name() + "'; make a new loop");
    if (core()->threads()->busy())
        detail::throw_error(error::already_running,
            "replacing the loop of policy '" + name() + "' while it runs; stop it first");
    if (loop == nullptr || loop != existing_event_loop())
        check_no_caller_runs("replacing the loop of");
    std::unique_ptr<event_loop> going;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->find();
        if (record)
            record->make_belong_here();
        impl_->current = std::move(record);
        impl_->emptied = loop == nullptr;
        if (impl_->made.get() != loop)
            going = std::move(impl_->made);
    }
    detail::next_loop_epoch();
    detail::end_loop(std::move(going), true);
}

void shared_policy::start()
{
    check_open("starting the policy");
    core()->threads()->settle();
    if (!core()->threads()->busy())
        start(impl_->threads);
}

void shared_policy::run_started(std::uint64_t)
{
    join();
}

void shared_policy::run(std::size_t threads)
{
    const auto keep = weak_from_this().lock(); // a handler may drop the policy
    start(threads);
    join();
}

void shared_policy::start(std::size_t threads)
{
    check_open("running the policy");
    checked(threads);
    core()->threads()->settle();
    if (core()->threads()->busy())
        detail::throw_error(error::already_running, "running policy '" + name() + "' on " +
                                                        platform::describe_thread() +
                                                        "; it runs already: stop or join it first");
    const std::uint64_t since = core()->threads()->stops();
    asio::io_context& loop = get_event_loop();
    try
    {
        for (std::size_t i = 0; i < threads; ++i)
            core()->threads()->start(loop, {name() + "-" + std::to_string(i), {}, {}, {}}, since);
    }
    catch (...)
    {
        core()->threads()->stop();
        core()->threads()->join_quietly();
        throw;
    }
}

void shared_policy::close()
{
    check_no_caller_runs("closing");
    const bool was_stopped = core()->threads()->stops() > 0; // what is left then was meant to be
    event_loop_policy::close();
    std::unique_ptr<event_loop> going;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->find();
        impl_->current.reset();
        going = std::move(impl_->made);
    }
    detail::next_loop_epoch();
    detail::end_loop(std::move(going), !was_stopped);
}

bool shared_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(shared_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
