// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/thread_state.hpp"

#include <loops/error.hpp>

#include "detail/fork.hpp"
#include "detail/loop_probe.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"
#include "platform/system.hpp"
#include "platform/thread_activity.hpp"
#include "platform/thread_stack.hpp"

#include <boost/system/errc.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

thread_local thread_state this_thread;

void remember(asio::io_context* loop, std::uint64_t epoch) noexcept
{
    this_thread.memo = loop;
    this_thread.memo_epoch = epoch;
}

} // namespace

thread_state& thread_state::of_this_thread() noexcept
{
    return this_thread;
}

pid_type thread_state::number() noexcept
{
    if (number_ == 0)
        number_ = platform::thread_id();
    return number_;
}

void thread_state::take_stack_signal() noexcept
{
    const int wanted = platform::stack_signal();
    if (stack_signal_ == wanted)
        return;
    if (stack_signal_ != 0)
        platform::let_signal_through(stack_signal_, false);
    const bool changed = wanted != 0 && !platform::let_signal_through(wanted, true);
    stack_signal_ = changed ? wanted : 0;
}

void thread_state::enter_child() noexcept
{
    // The runs were the parent's thread's. A policy_scope is still on the stack, and stays.
    run = nullptr;
    memo = nullptr;
    number_ = 0;
}

void count_as_probe() noexcept
{
    if (this_thread.run != nullptr && !is_in_nested_run())
        ++this_thread.run->probes;
}

asio::io_context* recorded_running_loop() noexcept
{
    return this_thread.run != nullptr ? this_thread.run->record->context() : nullptr;
}

asio::io_context* running_loop_inside_scope() noexcept
{
    const policy_scope* const scope = this_thread.scope;
    if (scope != nullptr && scope->entered_in() == this_thread.run)
        return nullptr;
    return recorded_running_loop();
}

run_scope::run_scope(asio::io_context& loop, policy_hold hold)
{
    frame_.record = record_of(loop);
    if (loop.get_executor().running_in_this_thread())
        throw_error(error::already_running,
            "running " + frame_.record->describe() + " inside of one of its own handlers on " +
                platform::describe_thread() + "; return to the run that is under way");
    if (hold == policy_hold::keep)
        policy_ = frame_.record->policy();
    frame_.of_policy = hold == policy_hold::none;
    frame_.record->enter(frame_);
    frame_.outer = this_thread.run;
    frame_.fork_generation = fork_generation();
    this_thread.run = &frame_;
    remember(&loop, loop_epoch());
    if (frame_.of_policy)
        this_thread.take_stack_signal();
}

run_scope::~run_scope()
{
    frame_.hosting.reset();
    // In a forked child the runs of the parent's thread are not runs of its own.
    if (frame_.fork_generation == fork_generation())
        this_thread.run = frame_.outer;
    this_thread.memo = nullptr;
    frame_.record->leave(frame_);
}

acquisition::acquisition() : outer_(std::exchange(this_thread.acquiring, this)) {}

acquisition::~acquisition()
{
    this_thread.acquiring = outer_;
}

work_hold::work_hold(loop_record& record) : record_(record)
{
    record_.resume();
    work_.emplace(record_.context()->get_executor());
}

work_hold::~work_hold()
{
    record_.let_go_of_work();
    work_.reset();
}

} // namespace detail

asio::io_context& get_event_loop()
{
    detail::thread_state& here = detail::this_thread;
    const std::uint64_t epoch = detail::loop_epoch();
    if (here.memo != nullptr && here.memo_epoch == epoch)
        return *here.memo;
    if (asio::io_context* const running = detail::recorded_running_loop())
    {
        detail::remember(running, epoch);
        return *running;
    }
    const auto policy = detail::policy_of_this_thread();
    asio::io_context& loop = policy->get_event_loop();
    // The epoch from before the question: what changed meanwhile makes the next call ask again.
    if (policy->current_is_thread_bound())
        detail::remember(&loop, epoch);
    return loop;
}

asio::io_context* try_get_event_loop(error_code& ec)
{
    try
    {
        ec.clear();
        return &get_event_loop();
    }
    catch (const system_error& e)
    {
        ec = e.code();
        return nullptr;
    }
}

asio::io_context* try_get_running_loop() noexcept
{
    if (asio::io_context* const running = detail::recorded_running_loop())
        return running;
    const asio::io_context* current = nullptr;
    try
    {
        current = detail::policy_of_this_thread()->existing_event_loop();
    }
    catch (...) // the process's first policy cannot be made: no loop is current
    {}
    return detail::find_running(current);
}

asio::io_context& get_running_loop()
{
    asio::io_context* const running = try_get_running_loop();
    if (running == nullptr)
        detail::throw_error(error::no_running_event_loop,
            "asking for the running loop on " + platform::describe_thread());
    return *running;
}

void set_event_loop(asio::io_context& loop)
{
    detail::policy_of_this_thread()->set_event_loop(&loop);
}

void set_event_loop(std::nullptr_t)
{
    detail::policy_of_this_thread()->set_event_loop(nullptr);
}

std::unique_ptr<event_loop> new_event_loop()
{
    return detail::policy_of_this_thread()->new_event_loop();
}

void notify_fork(asio::execution_context::fork_event event)
{
    for (const auto& record : detail::known_loops())
    {
        if (asio::io_context* const loop = record->context())
            loop->notify_fork(event);
    }
}

policy_scope::policy_scope(std::shared_ptr<event_loop_policy> policy)
    : policy_(std::move(policy)),
      outer_(detail::this_thread.scope),
      entered_in_(detail::this_thread.run)
{
    if (!policy_)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "entering a policy_scope of a null policy");
    detail::this_thread.scope = this;
    if (detail::this_thread.run == nullptr)
        detail::this_thread.memo = nullptr;
}

policy_scope::~policy_scope()
{
    detail::this_thread.scope = outer_;
    if (detail::this_thread.run == nullptr)
        detail::this_thread.memo = nullptr;
}

asio::io_context& select_event_loop(const selection& what)
{
    return detail::policy_of_this_thread()->select_event_loop(what);
}

asio::io_context* try_select_event_loop(const selection& what, error_code& ec)
{
    try
    {
        ec.clear();
        return &select_event_loop(what);
    }
    catch (const system_error& e)
    {
        ec = e.code();
        return nullptr;
    }
}

lease acquire(const selection& what, std::int64_t weight)
{
    return detail::policy_of_this_thread()->acquire(what, weight);
}

std::shared_ptr<child_watcher> get_child_watcher()
{
    return detail::policy_of_this_thread()->get_child_watcher();
}

void set_child_watcher(std::shared_ptr<child_watcher> watcher)
{
    detail::policy_of_this_thread()->set_child_watcher(std::move(watcher));
}

} // namespace LOOPS_ABI
} // namespace loops
