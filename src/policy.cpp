// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_watcher.hpp>
#include <loops/error.hpp>
#include <loops/policy.hpp>

#include "detail/crew.hpp"
#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/signals.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

exception_action exception_action::call(std::function<void(std::exception_ptr)> handler)
{
    exception_action action;
    action.handler_ = std::move(handler);
    return action;
}

exception_action exception_action::terminate()
{
    return call([](const std::exception_ptr& exception) noexcept {
        // Rethrown out of a noexcept function, so that the terminate handler can see what it was.
        std::rethrow_exception(exception);
    });
}

namespace detail {

namespace {

std::atomic<std::uint64_t> last_core{0};

} // namespace

policy_core::policy_core() : number(++last_core), threads_(mutex, [this] { return make_crew(); }) {}

std::shared_ptr<crew> policy_core::make_crew() const
{
    return std::make_shared<crew>(
        [this](const std::exception_ptr& exception) { return excepted(exception); });
}

void policy_core::prepare_drain() const
{
    std::vector<std::function<void()>> hooks;
    {
        const std::lock_guard lock(mutex);
        hooks = drain_hooks;
    }
    for (const auto& hook : hooks)
        hook();
}

bool policy_core::excepted(const std::exception_ptr& exception) const
{
    std::function<void(std::exception_ptr)> handler;
    {
        const std::lock_guard lock(mutex);
        handler = action.handler_;
    }
    if (!handler)
        return false;
    handler(exception);
    return true;
}

} // namespace detail

namespace {

void refuse_inside(
    const detail::policy_core& core, const std::string& policy, const char* attempted)
{
    if (core.threads()->inside())
        detail::throw_error(error::already_running,
            std::string(attempted) + " policy '" + policy + "' on " + platform::describe_thread() +
                ", which runs one of its loops; do it from another thread");
}

} // namespace

event_loop_policy::event_loop_policy()
    : core_(std::make_shared<detail::policy_core>()), owns_core_(true)
{}

event_loop_policy::event_loop_policy(std::shared_ptr<detail::policy_core> of_another)
    : core_(std::move(of_another)), owns_core_(false)
{}

event_loop_policy::~event_loop_policy()
{
    if (owns_core_)
        detail::tear_down(core_, {});
}

std::unique_ptr<event_loop> event_loop_policy::make_loop(
    const std::string& loop_name, std::optional<int> hint)
{
    loop_factory factory;
    std::vector<std::function<void(asio::io_context&)>> furnishers;
    {
        const std::lock_guard lock(core_->mutex);
        factory = core_->factory;
        furnishers = core_->furnishers;
    }
    std::unique_ptr<event_loop> loop;
    if (factory)
        loop = factory();
    else if (hint)
        loop = std::make_unique<event_loop>(*hint, loop_name);
    else
        loop = std::make_unique<event_loop>(loop_name);
    if (!loop)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "the loop factory of policy '" + name() + "' returned no loop");
    const auto record = detail::record_of(*loop);
    record->set_policy(weak_from_this(), core_->number);
    for (const auto& furnish : furnishers)
        furnish(*loop);
    core_->add_loop(record);
    return loop;
}

std::unique_ptr<event_loop> event_loop_policy::new_event_loop()
{
    check_open("making a loop");
    return make_loop();
}

std::unique_ptr<event_loop> event_loop_policy::new_callers_loop()
{
    return new_event_loop();
}

asio::io_context& event_loop_policy::select_event_loop(const selection&)
{
    check_open("selecting a loop");
    return current_or_running_loop();
}

void event_loop_policy::for_each_loop(const std::function<void(asio::io_context&)>& visit)
{
    check_open("asking for the loops");
    visit(current_or_running_loop());
}

lease event_loop_policy::acquire(const selection& what, std::int64_t weight)
{
    const detail::acquisition keep;
    return lease(select_event_loop(what), weight);
}

asio::io_context& event_loop_policy::current_or_running_loop()
{
    asio::io_context* const running = detail::running_loop_inside_scope();
    return running != nullptr ? *running : get_event_loop();
}

void event_loop_policy::set_loop_factory(loop_factory factory)
{
    const std::lock_guard lock(core_->mutex);
    core_->factory = std::move(factory);
}

void event_loop_policy::set_task_factory(task_factory factory)
{
    const std::lock_guard lock(core_->mutex);
    core_->tasks = std::move(factory);
}

task_factory event_loop_policy::get_task_factory() const
{
    const std::lock_guard lock(core_->mutex);
    return core_->tasks;
}

void event_loop_policy::on_exception(exception_action action)
{
    const std::lock_guard lock(core_->mutex);
    core_->action = std::move(action);
}

std::shared_ptr<child_watcher> event_loop_policy::get_child_watcher()
{
    check_open("asking for the child watcher");
    const std::lock_guard lock(core_->mutex);
    // The parent's is of no use in a forked child.
    if (!core_->watcher || core_->watcher_generation != detail::fork_generation())
    {
        core_->watcher = detail::make_default_child_watcher();
        core_->watcher_generation = detail::fork_generation();
    }
    return core_->watcher;
}

void event_loop_policy::set_child_watcher(std::shared_ptr<child_watcher> watcher)
{
    check_open("setting the child watcher");
    {
        const std::lock_guard lock(core_->mutex);
        core_->watcher.swap(watcher);
        core_->watcher_generation = detail::fork_generation();
        if (core_->watcher == watcher)
            return;
    }
    if (watcher)
        watcher->close();
}

void event_loop_policy::start()
{
    check_open("starting the policy");
}

void event_loop_policy::run_started(std::uint64_t since)
{
    core_->threads()->run_here(get_event_loop(), since);
}

void event_loop_policy::run()
{
    const auto keep = weak_from_this().lock(); // a handler may drop the policy
    const std::uint64_t since = core_->threads()->stops();
    refuse_inside(*core_, name(), "running");
    start();
    run_started(since);
}

void event_loop_policy::stop()
{
    core_->threads()->stop();
}

void event_loop_policy::join()
{
    refuse_inside(*core_, name(), "joining");
    core_->threads()->join();
}

drain_report event_loop_policy::drain(std::chrono::nanoseconds limit)
{
    refuse_inside(*core_, name(), "draining");
    core_->prepare_drain();
    return core_->threads()->drain(limit);
}

void event_loop_policy::on_drain(std::function<void()> function)
{
    const std::lock_guard lock(core_->mutex);
    core_->drain_hooks.push_back(std::move(function));
}

drain_report event_loop_policy::run_until_signal(std::chrono::nanoseconds limit)
{
    const auto keep = weak_from_this().lock(); // a handler may drop the policy
    const std::uint64_t since = core_->threads()->stops();
    refuse_inside(*core_, name(), "running");
    start();
    // From here on a signal may stop the loops before they run; `since` tells.
    detail::stop_signals signals([&] { return drain(limit); }, [&] { stop(); });
    run_started(since);
    return signals.report();
}

void event_loop_policy::close()
{
    refuse_inside(*core_, name(), "closing");
    core_->closed = true;
    core_->threads()->close();
    core_->threads()->join_quietly();
    core_->end_watches();
    std::shared_ptr<child_watcher> watcher;
    {
        const std::lock_guard lock(core_->mutex);
        watcher = core_->watcher;
    }
    if (watcher)
        watcher->close();
}

bool event_loop_policy::is_closed() const noexcept
{
    return core_->closed;
}

bool event_loop_policy::current_is_thread_bound() const noexcept
{
    return false;
}

void event_loop_policy::check_open(const char* attempted) const
{
    if (core_->closed)
        detail::throw_error(error::policy_closed, std::string(attempted) + " by policy '" + name() +
                                                      "' on " + platform::describe_thread());
}

} // namespace LOOPS_ABI
} // namespace loops
