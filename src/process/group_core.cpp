// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/group_core.hpp"

#include <loops/child_watcher.hpp>
#include <loops/policy.hpp>

#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <new>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

template <class Handler>
asio::any_completion_executor work_of(const Handler& handler)
{
    return tracked(asio::get_associated_executor(handler, asio::any_completion_executor()));
}

} // namespace

group_core::member::member(
    std::uint64_t number, command program, run_handler handler, const executor_type& on)
    : end{number, std::move(handler), {}}, what(std::move(program)), patience(on)
{
    end.work = work_of(end.handler);
}

group_core::group_core(asio::io_context& loop, group_options options)
    : executor_(asio::make_strand(loop)),
      loop_(loop.get_executor()),
      options_(std::move(options)),
      watcher_(options_.watcher ? options_.watcher : get_child_watcher())
{
    if (!is_valid(options_.stop))
        throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making a group of processes with a ladder that has no rung, or one without a signal");
}

group_core::~group_core()
{
    for (const member& each : alive_)
        kill_and_reap(each.process, watcher_);
}

template <class Handler>
void group_core::connect(const Handler& handler, std::uint64_t id)
{
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (!slot.is_connected())
        return;
    slot.assign([weak = weak_from_this(), id](asio::cancellation_type type) {
        const auto self = weak.lock();
        if (self && type != asio::cancellation_type::none)
            asio::post(self->executor_, [self, id] { self->cancel(id); });
    });
}

// On the handler's executor, or the loop; never inside of what calls this.
template <class Handler, class... Arguments>
void group_core::complete(Handler handler, Arguments&&... arguments)
{
    asio::post(loop_, asio::append(std::move(handler), std::forward<Arguments>(arguments)...));
}

void group_core::run(command what, run_handler handler)
{
    const std::uint64_t id = ++last_id_;
    connect(handler, id);
    // Made here: what cannot be had is told to the caller.
    auto fresh = std::make_shared<members>();
    fresh->emplace_back(id, std::move(what), std::move(handler), executor_);
    asio::post(executor_, [self = shared_from_this(), fresh] {
        self->queue_.splice(self->queue_.end(), *fresh);
        self->start_ready();
    });
}

void group_core::wait_all(all_handler handler)
{
    add_wait(std::move(handler), &group_core::all_waits_);
}

void group_core::wait_any(run_handler handler)
{
    add_wait(std::move(handler), &group_core::any_waits_);
}

template <class Handler>
void group_core::add_wait(Handler handler, std::list<pending<Handler>> group_core::*waits)
{
    const std::uint64_t id = ++last_id_;
    connect(handler, id);
    auto work = work_of(handler);
    auto fresh = std::make_shared<std::list<pending<Handler>>>();
    fresh->push_back({id, std::move(handler), std::move(work)});
    asio::post(executor_, [self = shared_from_this(), fresh, waits] {
        auto& all = (*self).*waits;
        all.splice(all.end(), *fresh);
        self->tell_if_idle();
    });
}

void group_core::stop()
{
    asio::post(executor_, [self = shared_from_this()] {
        for (member& each : self->queue_)
            self->complete(std::move(each.end.handler),
                make_error_code(asio::error::operation_aborted), child_exit());
        self->queue_.clear();
        self->recount();
        for (member& each : self->alive_)
        {
            if (each.next_rung == 0)
                self->climb(each);
        }
        self->tell_if_idle();
    });
}

void group_core::cancel(std::uint64_t id)
{
    const auto is_it = [id](const member& each) { return each.end.id == id; };
    const auto queued = std::find_if(queue_.begin(), queue_.end(), is_it);
    const auto living = std::find_if(alive_.begin(), alive_.end(), is_it);
    const auto aborted = make_error_code(asio::error::operation_aborted);
    if (queued != queue_.end())
    {
        complete(std::move(queued->end.handler), aborted, child_exit());
        queue_.erase(queued);
        recount();
        tell_if_idle();
    }
    else if (living != alive_.end())
    {
        if (living->next_rung == 0)
            climb(*living);
    }
    else if (!cancel_wait(all_waits_, id, aborted))
    {
        cancel_wait(any_waits_, id, aborted, child_exit());
    }
}

template <class Handler, class... Arguments>
bool group_core::cancel_wait(
    std::list<pending<Handler>>& waits, std::uint64_t id, Arguments... arguments)
{
    const auto found = std::find_if(
        waits.begin(), waits.end(), [id](const pending<Handler>& each) { return each.id == id; });
    if (found == waits.end())
        return false;
    complete(std::move(found->handler), arguments...);
    waits.erase(found);
    return true;
}

void group_core::start_ready()
{
    while (!queue_.empty() && (options_.most_alive == 0 || alive_.size() < options_.most_alive))
    {
        alive_.splice(alive_.end(), queue_, queue_.begin());
        const auto it = std::prev(alive_.end());
        if (const error_code ec = start(it))
        {
            complete(std::move(it->end.handler), ec, child_exit());
            alive_.erase(it);
            tell_end(ec, {});
        }
    }
    recount();
    tell_if_idle();
}

// With an error there is no process.
error_code group_core::start(members::iterator it)
{
    if (!watcher_->is_active())
        return error::watcher_inactive;
    it->process.leads_group = lead_group(it->what);
    it->what.limits.insert(it->what.limits.begin(), options_.limits.begin(), options_.limits.end());
    error_code ec;
    it->process.it = start_process(it->what, ec);
    if (ec)
        return ec;
    try
    {
        watcher_->async_wait(it->process.it.id(),
            asio::bind_executor(
                executor_, [self = shared_from_this(), it](const error_code& how,
                               const child_exit& exit) { self->on_exit(it, how, exit); }));
        return {};
    }
    catch (const system_error& e)
    {
        ec = e.code();
    }
    catch (const std::bad_alloc&)
    {
        ec = make_error_code(boost::system::errc::not_enough_memory);
    }
    kill_and_reap(it->process, watcher_);
    return ec;
}

void group_core::on_exit(members::iterator it, const error_code& ec, const child_exit& exit)
{
    if (ec && ec != error::child_status_lost)
        kill_and_reap(it->process, watcher_); // nobody waits for it any more
    else if (it->next_rung > 0 && it->process.leads_group)
        it->process.signal(SIGKILL); // what is left of its group
    complete(std::move(it->end.handler), ec, exit);
    alive_.erase(it);
    tell_end(ec, exit);
    start_ready();
}

void group_core::tell_end(const error_code& ec, const child_exit& exit)
{
    for (auto& each : std::exchange(any_waits_, {}))
        complete(std::move(each.handler), ec, exit);
}

void group_core::tell_if_idle()
{
    if (!queue_.empty() || !alive_.empty())
        return;
    for (auto& each : std::exchange(all_waits_, {}))
        complete(std::move(each.handler), error_code());
    for (auto& each : std::exchange(any_waits_, {}))
        complete(std::move(each.handler), make_error_code(asio::error::not_found), child_exit());
}

void group_core::climb(member& it)
{
    const stop_rung& rung = options_.stop[it.next_rung];
    it.process.signal(rung.signal);
    if (++it.next_rung == options_.stop.size())
        return;
    it.patience.expires_after(rung.patience);
    it.patience.async_wait([weak = weak_from_this(), id = it.end.id](const error_code& ec) {
        const auto self = weak.lock();
        if (ec || !self)
            return;
        const auto found = std::find_if(self->alive_.begin(), self->alive_.end(),
            [id](const member& each) { return each.end.id == id; });
        if (found != self->alive_.end())
            self->climb(*found);
    });
}

void group_core::recount() noexcept
{
    alive_count_ = alive_.size();
    waiting_count_ = queue_.size();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
