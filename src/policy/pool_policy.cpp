// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/pool_policy.hpp>

#include "detail/crew.hpp"
#include "detail/fork_local.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/pool_loops.hpp"
#include "detail/thread_slots.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <typeinfo>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

namespace {

// No start yet: more stops than there can be.
constexpr std::uint64_t never = ~std::uint64_t(0);

// The pool's loops in one process: a forked child has none of the parent's.
struct team
{
    std::mutex starting; // held while code of users runs, hence not around forks
    // How often the threads had been told to stop when they were last started. Another number
    // since: they are stopped, or about to be.
    std::atomic<std::uint64_t> started_at{never};
    // The loops are made once, by the first start, before `made` is set; they are read without a
    // lock after that.
    std::atomic<bool> made{false};
    std::vector<std::unique_ptr<event_loop>> loops;
    detail::pool_loops seen;
    // The tables that `seen` named: whoever chooses may still be reading an old one. No two are
    // equal, so that restarts do not pile them up.
    std::vector<std::unique_ptr<const detail::cpu_table>> tables;

    // Makes known to which CPUs the threads are bound.
    void bound_to(const std::vector<std::optional<unsigned>>& cpus)
    {
        auto same = std::find_if(tables.begin(), tables.end(),
            [&](const auto& table) { return table->cpu_of() == cpus; });
        if (same == tables.end())
            same = tables.insert(same, std::make_unique<const detail::cpu_table>(cpus));
        seen.cpus = same->get();
    }
};

} // namespace

struct pool_policy::impl
{
    explicit impl(pool_options how)
        : options(std::make_shared<const pool_options>(std::move(how))),
          present(renewing, [] { return std::make_shared<team>(); })
    {}

    // The loops of this process.
    team& here() { return *present.get(); }

    // Shared with the threads, whose hooks may be called after the policy is gone.
    const std::shared_ptr<const pool_options> options;
    detail::thread_slots slots;

private:
    detail::fork_mutex renewing;
    const detail::fork_local<team> present;
};

namespace {

pool_options checked(pool_options options)
{
    const bool bad_spin = options.spin.count() < 0 || options.spin > pool_options::most_spin;
    if (options.threads == 0 || !options.chooser || bad_spin)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "a pool '" + options.name + "' with " +
                (!options.chooser ? "no chooser; try round_robin"
                    : bad_spin
                        ? "a spin of " + std::to_string(options.spin.count()) + " ns; give 0 to " +
                              std::to_string(pool_options::most_spin.count())
                        : "no threads; give 1 or more"));
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
    if (!core()->retired)
        impl_->slots.close();
    detail::tear_down(core(), std::move(impl_->here().loops));
}

std::string pool_policy::name() const
{
    return "pool";
}

std::size_t pool_policy::size() const noexcept
{
    return impl_->options->threads;
}

void pool_policy::start()
{
    const auto threads = core()->threads();
    if (threads->inside())
        return; // asked by a hook or a handler: by a thread that was started
    team& all = impl_->here();
    const std::lock_guard lock(all.starting);
    check_open("starting the threads");
    const auto& options = impl_->options;
    const auto loop_name = [&](std::size_t i) { return options->name + "-" + std::to_string(i); };
    if (!all.made)
    {
        std::vector<std::unique_ptr<event_loop>> loops;
        std::vector<std::shared_ptr<detail::loop_record>> records;
        for (std::size_t i = 0; i < options->threads; ++i)
        {
            loops.push_back(make_loop(loop_name(i), 1));
            records.push_back(detail::record_of(*loops.back()));
            records.back()->index_in_pool = i;
        }
        all.loops = std::move(loops);
        all.seen.records = std::move(records);
        all.made = true;
    }
    threads->settle();
    const std::uint64_t stops = threads->stops();
    const auto cpus = platform::allowed_cpus();
    std::vector<bool> there(options->threads);
    auto bound = all.seen.cpus != nullptr ? all.seen.cpus.load()->cpu_of()
                                          : std::vector<std::optional<unsigned>>(options->threads);
    for (std::size_t i = 0; i < options->threads; ++i)
    {
        there[i] = threads->members_in(*all.loops[i]) > 0;
        if (!there[i])
            bound[i] = cpu_for(*options, i, cpus);
    }
    all.bound_to(bound); // before the threads' hooks choose
    try
    {
        for (std::size_t i = 0; i < options->threads; ++i)
        {
            if (there[i])
                continue;
            detail::crew_thread how{loop_name(i), bound[i], {}, {}};
            how.spin = options->spin;
            if (options->on_thread_start)
                how.on_start = [options, i] { options->on_thread_start(i); };
            if (options->on_thread_stop)
                how.on_stop = [options, i] { options->on_thread_stop(i); };
            threads->start(*all.loops[i], how, stops);
        }
    }
    catch (...)
    {
        threads->stop();
        threads->join_quietly();
        throw;
    }
    all.started_at = stops;
}

void pool_policy::need_threads(const char* attempted)
{
    check_open(attempted);
    const std::uint64_t started_at = impl_->here().started_at;
    if (started_at == never)
        start();
    else if (started_at != core()->threads()->stops())
        detail::throw_error(error::policy_closed,
            std::string(attempted) + " by policy '" + name() + "' on " +
                platform::describe_thread() + ", which is draining or stopped; start() it first");
}

asio::io_context& pool_policy::select_event_loop(const selection& what)
{
    need_threads("selecting a loop");
    const detail::pool_loops& seen = impl_->here().seen;
    const auto& records = seen.records;
    const chooser& choose = impl_->options->chooser;
    const std::size_t index =
        choose(pool_view(records.data(), records.size(), seen.cpus.load()), what);
    asio::io_context* const loop = index < records.size() ? records[index]->context() : nullptr;
    if (loop == nullptr)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "chooser '" + choose.name() + "' gave loop " + std::to_string(index) +
                " of a pool that has " + std::to_string(records.size()) + " open ones");
    return *loop;
}

asio::io_context& pool_policy::loop(std::size_t index)
{
    check_open("asking for a loop");
    if (index >= size())
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "loop " + std::to_string(index) + " of a pool of " + std::to_string(size()));
    if (!impl_->here().made)
        need_threads("asking for a loop");
    return *impl_->here().loops[index];
}

void pool_policy::for_each_loop(const std::function<void(asio::io_context&)>& visit)
{
    for (std::size_t i = 0; i < size(); ++i)
        visit(loop(i));
}

std::optional<unsigned> pool_policy::cpu(std::size_t index)
{
    loop(index);
    const detail::cpu_table* const cpus = impl_->here().seen.cpus;
    return cpus != nullptr ? cpus->cpu_of()[index] : std::nullopt;
}

asio::io_context& pool_policy::get_event_loop()
{
    check_open("asking for the current loop");
    if (core()->threads()->inside())
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
    return core()->threads()->inside() ? detail::recorded_running_loop() : impl_->slots.find();
}

void pool_policy::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    if (core()->threads()->inside())
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
    team& all = impl_->here();
    const std::lock_guard lock(all.starting);
    if (all.made)
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
    team& all = impl_->here();
    const std::lock_guard lock(all.starting); // a start under way ends first, and refused
    detail::end_loops(all.loops, false);
    impl_->slots.close();
}

bool pool_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(pool_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
