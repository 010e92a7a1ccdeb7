// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/pool_policy.hpp>

#include "detail/crew.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/thread_slots.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <atomic>
#include <mutex>
#include <typeinfo>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

struct pool_policy::impl
{
    explicit impl(pool_options how) : options(std::move(how)) {}

    const pool_options options;
    detail::thread_slots slots;

    std::mutex starting;
    std::atomic<bool> running{false};
    // Filled once, by the first start, before `made` is set; read without a lock after that.
    std::atomic<bool> made{false};
    std::vector<std::unique_ptr<event_loop>> loops;
    std::vector<std::shared_ptr<detail::loop_record>> records;
};

namespace {

pool_options checked(pool_options options)
{
    if (options.threads == 0 || !options.chooser)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "a pool '" + options.name + "' with " +
                (options.chooser ? "no threads; give 1 or more" : "no chooser; try round_robin"));
    return options;
}

pool_options of(std::size_t threads, chooser choose)
{
    pool_options options;
    options.threads = threads;
    options.chooser = std::move(choose);
    return options;
}

// The CPU for a thread, or none. With fewer CPUs than threads they are shared evenly.
std::optional<unsigned> cpu_for(
    const pool_options& options, std::size_t index, const std::vector<unsigned>& cpus)
{
    if (options.pin == pinning::none || cpus.empty())
        return std::nullopt;
    if (options.pin == pinning::compact || options.threads >= cpus.size())
        return cpus[index % cpus.size()];
    return cpus[index * cpus.size() / options.threads];
}

} // namespace

pool_policy::pool_policy(std::size_t threads, chooser choose)
    : pool_policy(of(threads, std::move(choose)))
{}

pool_policy::pool_policy(pool_options options)
    : impl_(std::make_unique<impl>(checked(std::move(options))))
{}

pool_policy::~pool_policy()
{
    detail::tear_down(core(), std::move(impl_->loops));
}

std::string pool_policy::name() const
{
    return "pool";
}

std::size_t pool_policy::size() const noexcept
{
    return impl_->options.threads;
}

void pool_policy::start()
{
    const std::lock_guard lock(impl_->starting);
    check_open("starting the threads");
    if (impl_->running && core()->threads->busy())
        return;
    const pool_options& options = impl_->options;
    const auto loop_name = [&](std::size_t i) { return options.name + "-" + std::to_string(i); };
    if (!impl_->made)
    {
        std::vector<std::unique_ptr<event_loop>> loops;
        for (std::size_t i = 0; i < options.threads; ++i)
            loops.push_back(make_loop(loop_name(i), 1));
        for (const auto& each : loops)
            impl_->records.push_back(detail::record_of(*each));
        impl_->loops = std::move(loops);
        impl_->made = true;
    }
    const auto cpus = platform::allowed_cpus();
    try
    {
        for (std::size_t i = 0; i < options.threads; ++i)
        {
            detail::crew_thread how{loop_name(i), cpu_for(options, i, cpus), {}, {}};
            if (options.on_thread_start)
                how.on_start = [&options, i] { options.on_thread_start(i); };
            if (options.on_thread_stop)
                how.on_stop = [&options, i] { options.on_thread_stop(i); };
            core()->threads->start(*impl_->loops[i], how);
        }
    }
    catch (...)
    {
        core()->threads->stop();
        core()->threads->join_quietly();
        throw;
    }
    core()->draining = false;
    impl_->running = true;
}

asio::io_context& pool_policy::select_event_loop(const selection& what)
{
    check_open("selecting a loop");
    if (core()->draining)
        detail::throw_error(error::policy_closed, "selecting a loop by policy '" + name() +
                                                      "' on " + platform::describe_thread() +
                                                      ", which is draining");
    if (!impl_->running)
        start();
    const auto& records = impl_->records;
    const std::size_t index =
        impl_->options.chooser(pool_view(records.data(), records.size()), what);
    asio::io_context* const loop = index < records.size() ? records[index]->context() : nullptr;
    if (loop == nullptr)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "chooser '" + impl_->options.chooser.name() + "' gave loop " + std::to_string(index) +
                " of a pool that has " + std::to_string(records.size()) + " open ones");
    return *loop;
}

asio::io_context& pool_policy::loop(std::size_t index)
{
    check_open("asking for a loop");
    if (index >= size())
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "loop " + std::to_string(index) + " of a pool of " + std::to_string(size()));
    if (!impl_->running)
        start();
    return *impl_->loops[index];
}

asio::io_context& pool_policy::get_event_loop()
{
    check_open("asking for the current loop");
    if (core()->threads->inside())
        return *detail::recorded_running_loop();
    asio::io_context* const loop = impl_->slots.find_or_make([this] { return make_loop(); });
    if (loop == nullptr)
        detail::throw_error(error::no_current_event_loop,
            "asking policy '" + name() + "' for the current loop of " +
                platform::describe_thread() + "; set one with set_event_loop()");
    return *loop;
}

asio::io_context* pool_policy::existing_event_loop() noexcept
{
    return core()->threads->inside() ? detail::recorded_running_loop() : impl_->slots.find();
}

void pool_policy::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    if (core()->threads->inside())
        detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "setting the current loop of " + platform::describe_thread() +
                ", which the pool made to run the loop it has");
    impl_->slots.set(loop);
}

std::unique_ptr<event_loop> pool_policy::new_event_loop()
{
    check_open("making a loop");
    return make_loop();
}

void pool_policy::set_loop_factory(loop_factory factory)
{
    const std::lock_guard lock(impl_->starting);
    if (impl_->made)
        detail::throw_error(
            error::already_running, "setting the loop factory of policy '" + name() +
                                        "', whose loops are made; set it before the first use");
    event_loop_policy::set_loop_factory(std::move(factory));
}

void pool_policy::run_started(std::uint64_t)
{
    join();
}

void pool_policy::close()
{
    impl_->slots.check_none_runs();
    event_loop_policy::close();
    const std::lock_guard lock(impl_->starting);
    while (!impl_->loops.empty())
        impl_->loops.pop_back();
    impl_->slots.close();
}

bool pool_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(pool_policy);
}

void pool_policy::retire() noexcept
{
    impl_->slots.leave_to_threads();
}

} // namespace LOOPS_ABI
} // namespace loops
