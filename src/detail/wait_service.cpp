// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/wait_service.hpp"

#include <loops/detail/io_context_of.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy.hpp>

#include "detail/fork.hpp"
#include "detail/thread_state.hpp"
#include "platform/linux/pidfd.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/system_executor.hpp>

#include <array>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// How many exits one turn takes before the loop's other handlers have theirs.
constexpr std::size_t batch = 64;

class loop_wait_service final : public wait_service
{
public:
    using key_type = loop_wait_service;
    static asio::execution_context::id id;

    // Only of() asks for this service, and only of an io_context.
    explicit loop_wait_service(asio::execution_context& owner)
        : wait_service(owner, static_cast<asio::io_context&>(owner).get_executor())
    {}
};

class system_wait_service final : public wait_service
{
public:
    using key_type = system_wait_service;
    static asio::execution_context::id id;

    explicit system_wait_service(asio::execution_context& owner)
        : wait_service(owner, asio::system_executor())
    {}
};

asio::execution_context::id loop_wait_service::id;
asio::execution_context::id system_wait_service::id;

} // namespace

wait_service& wait_service::of(asio::io_context& loop)
{
    return asio::use_service<loop_wait_service>(static_cast<asio::execution_context&>(loop));
}

wait_service& wait_service::of_system()
{
    asio::execution_context& context =
        asio::query(asio::system_executor(), asio::execution::context);
    return asio::use_service<system_wait_service>(context);
}

wait_service::wait_service(asio::execution_context& owner, const asio::any_io_executor& executor)
    : service(owner),
      registry_(child_registry::instance()),
      executor_(executor),
      // Here already, so that Asio's reactor is older than this service and survives it.
      epoll_(executor),
      generation_(fork_generation())
{}

// Of two that are made at a time for one loop, Asio destroys one unused and under a lock of its own:
// nothing may be locked here.
wait_service::~wait_service() = default;

bool wait_service::is_ours() const noexcept
{
    return generation_ == fork_generation();
}

error_code wait_service::open()
{
    error_code ec;
    if (epoll_.is_open())
        return ec;
    const int fd = platform::make_epoll(ec);
    if (ec)
        return ec;
    epoll_.assign(fd, ec);
    if (ec)
    {
        platform::close_descriptor(fd);
        return ec;
    }
    registry_.add_service(*this);
    return ec;
}

error_code wait_service::watch(child_on_loop& on_loop)
{
    if (const error_code ec = open())
        return ec;
    error_code ec;
    platform::epoll_add(epoll_.native_handle(), on_loop.child->pidfd, on_loop.id, ec);
    if (ec)
        return ec;
    if (!armed_ && !reaping_)
    {
        try
        {
            arm();
        }
        catch (...)
        {
            platform::epoll_remove(epoll_.native_handle(), on_loop.child->pidfd);
            throw;
        }
    }
    watched_.push_back(on_loop);
    return ec;
}

void wait_service::unwatch(child_on_loop& on_loop) noexcept
{
    watched_.erase(watched_.iterator_to(on_loop));
    // In a forked child that did not tell the loop, the epoll is the parent's too.
    if (is_ours())
        platform::epoll_remove(epoll_.native_handle(), on_loop.child->pidfd);
    if (watched_.empty() && armed_)
        disarm();
}

void wait_service::arm()
{
    const std::uint64_t turn = turn_ + 1;
    epoll_.async_wait(asio::posix::descriptor_base::wait_read,
        [this, turn](const error_code& ec) { on_readable(turn, ec); });
    turn_ = turn;
    armed_ = true;
}

void wait_service::disarm() noexcept
{
    ++turn_;
    armed_ = false;
    error_code ignored;
    if (is_ours())
        epoll_.cancel(ignored);
}

void wait_service::on_readable(std::uint64_t turn, const error_code& ec)
{
    std::unique_lock<std::mutex> lock(registry_.mutex);
    if (turn != turn_ || shut_ || !is_ours())
        return;
    armed_ = false;
    reaping_ = true;
    if (ec)
    {
        while (!watched_.empty())
            registry_.end_all(*watched_.front().child, ec);
    }
    else
    {
        std::array<std::uint64_t, batch> ids{};
        const std::size_t count = platform::epoll_take(epoll_.native_handle(), ids.data(), batch);
        for (std::size_t i = 0; i < count; ++i)
            registry_.reap(ids[i]);
    }
    reaping_ = false;
    if (!watched_.empty())
        arm();
    deliver_one(std::move(lock));
}

void wait_service::push_ready(child_wait& wait)
{
    wait.service = this;
    ready_.push_back(wait);
    // While reaping, this loop's thread delivers right after; and what a forked child does not
    // tell the loop of would reach the parent's.
    if (!reaping_ && is_ours())
        wake();
}

void wait_service::remove_ready(child_wait& wait) noexcept
{
    ready_.erase(ready_.iterator_to(wait));
}

void wait_service::wake()
{
    if (woken_)
        return;
    asio::post(executor_, [this] {
        std::unique_lock<std::mutex> lock(registry_.mutex);
        woken_ = false;
        deliver_one(std::move(lock));
    });
    woken_ = true;
}

// One at a time: the others are on their way before the handler runs, so that it holds none of
// them up where more threads run the loop, and takes none with it where it throws.
void wait_service::deliver_one(std::unique_lock<std::mutex> lock)
{
    if (ready_.empty())
        return;
    ended_wait end = registry_.take(ready_.front());
    if (!ready_.empty())
        wake();
    lock.unlock();
    std::move(end).complete();
}

void wait_service::remove_attached(pidfd_waits& watcher) noexcept
{
    attached_.erase(attached_.iterator_to(watcher));
}

void wait_service::close_if_idle() noexcept
{
    if (!watched_.empty() || !epoll_.is_open() || shut_ || !is_ours())
        return;
    ++turn_;
    armed_ = false;
    error_code ignored;
    epoll_.close(ignored);
    registry_.remove_service(*this);
}

void wait_service::shutdown()
{
    std::vector<ended_wait> doomed; // destroyed after the lock is gone
    const std::lock_guard lock(registry_.mutex);
    if (std::exchange(shut_, true))
        return;
    while (!attached_.empty())
        attached_.front().lose_loop();
    while (!watched_.empty())
    {
        child_record& child = *watched_.front().child;
        auto next = child.waits.begin();
        for (std::size_t left = watched_.front().waits; left > 0;)
        {
            child_wait& wait = *next++;
            if (wait.service != this)
                continue;
            --left;
            doomed.push_back(registry_.take(wait));
        }
    }
    while (!ready_.empty())
        doomed.push_back(registry_.take(ready_.front()));
    if (!epoll_.is_open())
        return;
    ++turn_;
    armed_ = false;
    registry_.remove_service(*this);
    // In a forked child that did not tell the loop, the reactor that Asio would take the epoll
    // from is the parent's, too.
    if (!is_ours())
        platform::replace_descriptor(epoll_.native_handle());
    error_code ignored;
    epoll_.close(ignored);
}

void wait_service::notify_fork(asio::execution_context::fork_event event)
{
    if (event != asio::execution_context::fork_child)
        return;
    const std::lock_guard lock(registry_.mutex);
    if (is_ours() || shut_)
        return;
    ++turn_;
    armed_ = false;
    if (epoll_.is_open())
    {
        // Not closed by Asio, whose reactor would keep what the parent has open, too.
        platform::close_descriptor(epoll_.release());
        registry_.remove_service(*this);
    }
    while (!watched_.empty())
    {
        child_record& child = *watched_.front().child;
        auto next = child.waits.begin();
        for (std::size_t left = watched_.front().waits; left > 0;)
        {
            child_wait& wait = *next++;
            if (wait.service != this)
                continue;
            --left;
            registry_.end(wait, error::forked);
        }
    }
    generation_ = fork_generation();
    if (!ready_.empty())
    {
        woken_ = false;
        wake();
    }
}

destination::destination(const child_watcher::wait_handler& handler)
    : executor(asio::get_associated_executor(
          handler, asio::any_completion_executor(asio::system_executor())))
{
    // The system executor is what a handler without an executor is said to have.
    if (executor.target<asio::system_executor>() != nullptr)
    {
        executor = nullptr;
        return;
    }
    asio::io_context* const loop = io_context_of(executor);
    if (loop == nullptr)
        return;
    service = &wait_service::of(*loop);
    const auto* const plain = executor.target<asio::io_context::executor_type>();
    runs_plainly = plain != nullptr && *plain == loop->get_executor();
}

asio::any_completion_executor destination::work() const
{
    if (!executor || runs_plainly)
        return nullptr;
    return asio::prefer(executor, asio::execution::outstanding_work.tracked);
}

wait_service* choose_service(const destination& to)
{
    if (to.service != nullptr)
        return to.service;
    asio::io_context* loop = try_get_running_loop();
    if (loop == nullptr)
        loop = policy_of_this_thread()->existing_event_loop();
    if (loop != nullptr)
        return &wait_service::of(*loop);
    return to.executor ? &wait_service::of_system() : nullptr;
}

void deliver(child_watcher::wait_handler handler, const error_code& ec, const child_exit& exit)
{
    const destination to(handler);
    wait_service* const service = choose_service(to);
    ended_wait end{std::move(handler), to.work(), ec, exit};
    if (service == nullptr)
    {
        // In a task of its own, because the system executor would run it inline.
        asio::post(asio::system_executor(),
            [end = std::move(end)]() mutable { std::move(end).complete(); });
        return;
    }
    child_registry& registry = child_registry::instance();
    const std::lock_guard lock(registry.mutex);
    if (service->is_shut())
        return;
    child_wait& wait = registry.add_wait(registry.next_id(), exit.pid());
    wait.end.swap(end);
    service->push_ready(wait);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
