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
    // Made by the first start.
    detail::pool_loops loops;
};

// Of a resize by one of the pool's own threads.
[[noreturn]] void refuse_now(const pool_policy& of, const char* why)
{
    detail::throw_error(error::already_running, "resizing policy '" + of.name() + "' on " +
                                                    platform::describe_thread() +
                                                    ", one of its own, " + why + "; try again");
}

} // namespace

struct pool_policy::impl
{
    explicit impl(pool_options how)
        : options(std::make_shared<const pool_options>(std::move(how))),
          size(options->threads),
          present(renewing, [] { return std::make_shared<team>(); })
    {}

    std::string name_of(std::size_t index) const
    {
        return options->name + "-" + std::to_string(index);
    }

    // Starts the thread of a loop, unless the crew was told to stop meanwhile.
    void start_thread(
        const std::shared_ptr<detail::crew>& threads, std::size_t index, std::uint64_t stops)
    {
        detail::pool_loops& loops = here().loops;
        detail::crew_thread how{name_of(index), loops.cpus()[index], {}, {}};
        how.spin = options->spin;
        if (options->on_thread_start)
            how.on_start = [options = options, index] { options->on_thread_start(index); };
        if (options->on_thread_stop)
            how.on_stop = [options = options, index] { options->on_thread_stop(index); };
        how.on_idle = [leaves = loops.departure_of(index), &loop = loops[index],
                          crew = std::weak_ptr<detail::crew>(threads)] {
            return leaves->ends(loop, crew);
        };
        threads->start(loops[index], how, stops);
    }

    // The loops of this process.
    team& here() { return *present.get(); }

    // Shared with the threads, whose hooks may be called after the policy is gone.
    const std::shared_ptr<const pool_options> options;
    std::atomic<std::size_t> size;
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
    pinning how, std::size_t index, std::size_t threads, const std::vector<unsigned>& cpus)
{
    if (how == pinning::none || cpus.empty())
        return std::nullopt;
    if (how == pinning::compact || threads >= cpus.size())
        return cpus[index % cpus.size()];
    return cpus[index * cpus.size() / threads];
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
    detail::tear_down(core(), std::move(impl_->here().loops.all()));
}

std::string pool_policy::name() const
{
    return "pool";
}

std::size_t pool_policy::size() const noexcept
{
    return impl_->size;
}

void pool_policy::start()
{
    const auto threads = core()->threads();
    if (threads->inside())
        return; // asked by a hook or a handler: by a thread that was started
    team& all = impl_->here();
    const std::lock_guard lock(all.starting);
    check_open("starting the threads");
    const std::size_t size = impl_->size;
    if (all.loops.roster() == nullptr)
    {
        try
        {
            while (all.loops.size() < size)
                all.loops.add(make_loop(impl_->name_of(all.loops.size()), 1));
        }
        catch (...)
        {
            while (all.loops.size() > 0)
                all.loops.drop_last();
            throw;
        }
    }
    threads->settle();
    const std::uint64_t stops = threads->stops();
    const auto cpus = platform::allowed_cpus();
    std::vector<std::size_t>
        missing; // what has left the pool and is not empty has a thread as well
    for (std::size_t i = 0; i < all.loops.size(); ++i)
    {
        if (threads->members_in(all.loops[i]) > 0 || all.loops.departure_of(i)->is_over())
            continue;
        missing.push_back(i);
        all.loops.cpus()[i] = cpu_for(impl_->options->pin, i, size, cpus);
    }
    all.loops.publish(size); // before the threads' hooks choose
    try
    {
        for (const std::size_t i : missing)
        {
            impl_->start_thread(threads, i, stops);
            if (i >= size)
                detail::departure::look_later(all.loops[i], threads);
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

void pool_policy::resize(std::size_t threads)
{
    if (threads == 0)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "resizing policy '" + name() + "' to no threads; give 1 or more");
    const auto crew = core()->threads();
    team& all = impl_->here();
    std::unique_lock lock(all.starting, std::defer_lock);
    if (!crew->inside())
        lock.lock();
    else if (!lock.try_lock()) // who has it may be waiting for this thread
        refuse_now(*this, "while another thread starts, resizes or closes it");
    check_open("resizing the pool");
    if (all.loops.roster() == nullptr)
        impl_->size = threads;
    else if (threads > impl_->size)
        grow(threads);
    else
        shrink(threads);
}

void pool_policy::grow(std::size_t size)
{
    const auto threads = core()->threads();
    team& all = impl_->here();
    const std::size_t before = impl_->size;
    const std::size_t made_before = all.loops.size();
    const std::uint64_t stops = threads->stops();
    const auto cpus = platform::allowed_cpus();
    std::vector<std::size_t> started;
    try
    {
        while (all.loops.size() < size)
            all.loops.add(make_loop(impl_->name_of(all.loops.size()), 1));
        for (std::size_t i = before; i < size; ++i)
        {
            event_loop& loop = all.loops[i];
            if (all.loops.departure_of(i)->is_over() && threads->inside(loop))
                refuse_now(*this, "which is about to end");
            if (!all.loops.departure_of(i)->take_back())
            {
                threads->remove(loop);
                loop.restart();
            }
            // Where the threads are stopped, the next start has this one, too.
            if (all.started_at != stops || threads->members_in(loop) > 0)
                continue;
            all.loops.cpus()[i] = cpu_for(impl_->options->pin, i, size, cpus);
            impl_->start_thread(threads, i, stops);
            started.push_back(i);
        }
        all.loops.publish(size);
    }
    catch (...)
    {
        for (const std::size_t i : started)
        {
            threads->remove(all.loops[i]);
            all.loops[i].restart();
        }
        while (all.loops.size() > made_before)
            all.loops.drop_last();
        leave(before);
        throw;
    }
    impl_->size = size;
}

void pool_policy::shrink(std::size_t size)
{
    impl_->here().loops.publish(size);
    impl_->size = size;
    leave(size);
}

// Has what is behind the first so many loops leave.
void pool_policy::leave(std::size_t size)
{
    const auto threads = core()->threads();
    detail::pool_loops& loops = impl_->here().loops;
    for (std::size_t i = size; i < loops.size(); ++i)
        loops.departure_of(i)->begin(loops[i], threads);
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
    const detail::pool_roster& seen = *impl_->here().loops.roster();
    const auto& records = seen.records;
    const chooser& choose = impl_->options->chooser;
    const std::size_t index = choose(pool_view(records.data(), records.size(), &seen.cpus), what);
    asio::io_context* const loop = index < records.size() ? records[index]->context() : nullptr;
    if (loop == nullptr)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "chooser '" + choose.name() + "' gave loop " + std::to_string(index) +
                " of a pool that has " + std::to_string(records.size()) + " open ones");
    return *loop;
}

const detail::pool_roster& pool_policy::roster(const char* attempted)
{
    check_open(attempted);
    if (impl_->here().loops.roster() == nullptr)
        need_threads(attempted);
    return *impl_->here().loops.roster();
}

asio::io_context& pool_policy::loop(std::size_t index)
{
    const detail::pool_roster& seen = roster("asking for a loop");
    if (index >= seen.loops.size())
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "loop " + std::to_string(index) + " of a pool of " + std::to_string(seen.loops.size()));
    return *seen.loops[index];
}

void pool_policy::for_each_loop(const std::function<void(asio::io_context&)>& visit)
{
    for (event_loop* const each : roster("asking for the loops").loops)
        visit(*each);
}

std::optional<unsigned> pool_policy::cpu(std::size_t index)
{
    loop(index);
    return roster("asking for a CPU").cpus.cpu_of()[index];
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
    if (all.loops.roster() != nullptr)
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
    detail::end_loops(all.loops.all(), false);
    impl_->slots.close();
}

bool pool_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(pool_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
