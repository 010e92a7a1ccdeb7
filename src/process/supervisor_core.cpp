// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/supervisor_core.hpp"

#include <loops/child_watcher.hpp>
#include <loops/policy.hpp>

#include "detail/fork.hpp"
#include "detail/random.hpp"
#include "process/ending.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <mutex>
#include <new>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using std::chrono::nanoseconds;

double random_share()
{
    constexpr double size = 1ULL << 53;
    return static_cast<double>(next_random() >> 11) / size;
}

// What makes no sense; null: all does.
const char* fault_of(const supervisor_options& options) noexcept
{
    const restart_backoff& backoff = options.backoff;
    constexpr nanoseconds none(0);
    if (!is_valid(options.stop))
        return "a ladder that has no rung, or one without a signal";
    if (backoff.first < none || backoff.longest < backoff.first || backoff.steady < none)
        return "a backoff of times below 0, or that is longer at first than at the longest";
    if (!(backoff.factor >= 1) || !(backoff.jitter >= 0 && backoff.jitter <= 1))
        return "a backoff with a factor below 1, or a jitter that is no share";
    if (options.restart_window <= none || options.ready_timeout < none || options.watchdog < none)
        return "a time below 0, or no window of restarts";
    if (options.watchdog > none && options.ready != readiness::sd_notify)
        return "a watchdog, but without sd_notify";
    if (options.ready == readiness::descriptor && options.ready_descriptor < 0)
        return "a descriptor below 0";
    return nullptr;
}

// Of what all supervisors decide, and of their status, which is read from anywhere.
fork_mutex& status_mutex()
{
    static auto& it = *new fork_mutex; // never destroyed: supervisors may be static
    return it;
}

supervisor_options checked(supervisor_options options)
{
    if (const char* const fault = fault_of(options))
        throw_error(make_error_code(boost::system::errc::invalid_argument),
            std::string("making a supervisor with ") + fault);
    if (!options.watcher)
        options.watcher = get_child_watcher();
    return options;
}

} // namespace

supervisor_core::supervisor_core(asio::io_context& loop, supervisor::command_function what,
    std::size_t workers, supervisor_options options)
    : loop_(loop),
      executor_(asio::make_strand(loop)),
      what_(std::move(what)),
      options_(checked(std::move(options))),
      watcher_(options_.watcher),
      fsm_(options_, workers, random_share),
      timer_(executor_)
{}

// Makes what waits for the handler here: what cannot be had is told to the caller.
template <class Function>
void supervisor_core::add(handler_type handler, Function function)
{
    const auto fresh = std::make_shared<pendings>();
    fresh->emplace_back(++last_id_, std::move(handler), loop_.get_executor());
    fresh->front().connect(weak_from_this());
    ++operations_;
    asio::post(
        executor_, [self = shared_from_this(), fresh, function] { function(*self, *fresh); });
}

void supervisor_core::run(handler_type handler)
{
    add(std::move(handler), [](supervisor_core& it, pendings& fresh) {
        if (!it.runs_.empty())
            return it.complete_all(fresh, error::already_running);
        if (!it.watcher_->is_active())
            return it.complete_all(fresh, error::watcher_inactive);
        it.runs_.splice(it.runs_.end(), fresh);
        it.tell([](supervisor_fsm& fsm) { fsm.run(); });
    });
}

void supervisor_core::wait_ready(handler_type handler)
{
    add(std::move(handler), [](supervisor_core& it, pendings& fresh) {
        it.ready_waits_.splice(it.ready_waits_.end(), fresh);
        it.tell([](supervisor_fsm& fsm) { fsm.check_ready(); });
    });
}

void supervisor_core::restart(handler_type handler)
{
    add(std::move(handler), [](supervisor_core& it, pendings& fresh) {
        if (it.fsm_.is_idle())
            return it.complete_all(fresh, error::supervisor_not_running);
        pendings& waits = it.fsm_.is_restarting() ? it.next_restarts_ : it.restarts_;
        waits.splice(waits.end(), fresh);
        it.tell([](supervisor_fsm& fsm) { fsm.restart(); });
    });
}

void supervisor_core::stop()
{
    asio::post(executor_, [self = shared_from_this()] {
        self->tell([](supervisor_fsm& fsm) { fsm.stop({}); });
        if (self->fsm_.is_idle()) // they waited for a run
            self->complete_all(self->ready_waits_, make_error_code(asio::error::operation_aborted));
    });
}

void supervisor_core::abandon()
{
    abandoned_ = true;
    if (operations_ > 0)
        stop();
}

void supervisor_core::kill()
{
    asio::post(executor_,
        [self = shared_from_this()] { self->tell([](supervisor_fsm& fsm) { fsm.kill({}); }); });
}

void supervisor_core::signal(int number)
{
    asio::post(executor_, [self = shared_from_this(), number] {
        for (const std::uint64_t each : self->fsm_.serving())
        {
            const auto found = self->instances_.find(each);
            if (found != self->instances_.end())
                found->second.program->signal(number);
        }
    });
}

worker_status supervisor_core::status(std::size_t worker) const
{
    const std::lock_guard lock(status_mutex());
    return fsm_.status(worker);
}

std::vector<worker_status> supervisor_core::status() const
{
    const std::lock_guard lock(status_mutex());
    std::vector<worker_status> all;
    for (std::size_t index = 0; index != fsm_.size(); ++index)
        all.push_back(fsm_.status(index));
    return all;
}

// What is told while something is carried out, by that, has its actions carried out after all others.
template <class Function>
void supervisor_core::tell(Function function)
{
    {
        const std::lock_guard lock(status_mutex());
        function(fsm_);
        const auto fresh = fsm_.take_actions();
        actions_.insert(actions_.end(), fresh.begin(), fresh.end());
    }
    if (carrying_out_)
        return;
    carry_out_all();
    arm();
}

void supervisor_core::carry_out_all()
{
    struct scope
    {
        bool& is_in_it;
        explicit scope(bool& flag) : is_in_it(flag) { is_in_it = true; }
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;
        ~scope() { is_in_it = false; }
    };
    const scope present(carrying_out_);
    while (!actions_.empty())
    {
        const supervisor_fsm::action next = actions_.front();
        actions_.pop_front();
        carry_out(next);
    }
}

void supervisor_core::carry_out(const supervisor_fsm::action& it)
{
    using kind = supervisor_fsm::action_kind;
    const auto found = instances_.find(it.process);
    switch (it.kind)
    {
    case kind::start: start(it.worker, it.process); break;
    case kind::stop:
        if (found != instances_.end())
            found->second.program->stop(options_.stop);
        break;
    case kind::kill:
        if (found != instances_.end())
            found->second.program->kill();
        break;
    case kind::change:
        if (options_.on_change)
            asio::post(executor_, [self = shared_from_this(), worker = it.worker] {
                if (!self->abandoned_)
                    self->options_.on_change(worker);
            });
        break;
    case kind::ready_ended: complete_all(ready_waits_, it.ec); break;
    case kind::restart_ended:
        complete_all(restarts_, it.ec);
        restarts_.swap(next_restarts_);
        break;
    case kind::run_ended:
        complete_all(restarts_, make_error_code(asio::error::operation_aborted));
        complete_all(next_restarts_, make_error_code(asio::error::operation_aborted));
        complete_all(ready_waits_, make_error_code(asio::error::operation_aborted));
        complete_all(runs_, it.ec);
        break;
    }
}

void supervisor_core::start(std::size_t worker, std::uint64_t process)
{
    error_code ec;
    const bool is_active = watcher_->is_active(); // which it is not in a forked child
    if (abandoned_)
        tell([](supervisor_fsm& fsm) { fsm.stop({}); });
    else if (!is_active)
        tell([](supervisor_fsm& fsm) { fsm.kill(error::watcher_inactive); });
    try
    {
        if (abandoned_)
            ec = asio::error::operation_aborted;
        else
            ec = is_active ? start_instance(worker, process) : error::watcher_inactive;
    }
    catch (const system_error& e)
    {
        ec = e.code() ? e.code() : error::worker_failed;
    }
    catch (const std::bad_alloc&)
    {
        ec = make_error_code(boost::system::errc::not_enough_memory);
    }
    catch (...) // what the application's function throws
    {
        ec = error::worker_failed;
    }
    if (ec)
        instances_.erase(process); // and whatever of it there was
    tell([&](supervisor_fsm& fsm) {
        if (ec)
            fsm.not_started(process, ec, clock::now());
        else
            fsm.started(process, instances_[process].program->id(), clock::now());
    });
}

// What throws leaves no process that anybody has to do with.
error_code supervisor_core::start_instance(std::size_t worker, std::uint64_t process)
{
    instance fresh{std::make_shared<running_program>(loop_, executor_, watcher_),
        std::make_shared<ready_channel>(executor_)};
    command what = what_(worker);
    error_code ec;
    fresh.channel->open(options_, what, ec);
    if (!ec)
        fresh.program->start(std::move(what), options_.tree, ec);
    if (ec)
        return ec;
    const auto self = shared_from_this();
    instances_[process] = fresh;
    fresh.channel->listen(fresh.program->id(),
        [self, process](worker_word word) { self->on_word(process, std::move(word)); });
    fresh.program->watch([self, process](const error_code& how, const child_exit& exit) {
        self->on_end(process, how, exit);
    });
    return ec;
}

void supervisor_core::on_word(std::uint64_t process, worker_word word)
{
    tell([&](supervisor_fsm& fsm) {
        if (word.text)
            fsm.told(process, std::move(*word.text));
        if (word.ready)
            fsm.became_ready(process, clock::now());
        if (word.lives)
            fsm.lives(process, clock::now());
    });
}

void supervisor_core::on_end(std::uint64_t process, const error_code& ec, const child_exit& exit)
{
    const auto found = instances_.find(process);
    found->second.channel->close();
    instances_.erase(found);
    tell([&](supervisor_fsm& fsm) {
        if (ec && ec != error::child_status_lost)
            fsm.kill(ec); // nobody can wait for the others, either
        fsm.ended(process, exit, clock::now());
    });
}

void supervisor_core::arm()
{
    const auto at = fsm_.deadline();
    if (!at)
    {
        timer_.cancel();
        return;
    }
    timer_.expires_at(*at);
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (!ec)
            self->tell([](supervisor_fsm& fsm) { fsm.time_passed(clock::now()); });
    });
}

void supervisor_core::cancel(std::uint64_t id)
{
    asio::post(executor_, [self = shared_from_this(), id] { self->end_wait_of(id); });
}

void supervisor_core::end_wait_of(std::uint64_t id)
{
    const auto aborted = make_error_code(asio::error::operation_aborted);
    if (!runs_.empty() && runs_.front().id() == id)
        return tell([&](supervisor_fsm& fsm) { fsm.stop(aborted); });
    for (pendings* const waits : {&ready_waits_, &restarts_, &next_restarts_})
    {
        pendings taken = take_wait(*waits, id);
        const bool is_restart = !taken.empty() && waits != &ready_waits_;
        complete_all(taken, aborted);
        if (is_restart)
            forget_restarts();
    }
}

// That nobody waits for any more.
void supervisor_core::forget_restarts()
{
    tell([this](supervisor_fsm& fsm) {
        if (next_restarts_.empty())
            fsm.cancel_next_restart();
        if (restarts_.empty() && next_restarts_.empty())
            fsm.cancel_restart();
    });
}

void supervisor_core::complete_all(pendings& waits, const error_code& ec)
{
    operations_ -= waits.size();
    detail::complete_all(waits, loop_.get_executor(), ec);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
