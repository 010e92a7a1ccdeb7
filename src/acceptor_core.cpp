// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/acceptor_core.hpp>
#include <loops/detail/task_hook.hpp>
#include <loops/loop_local.hpp>

#include "detail/admission.hpp"
#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "detail/operation_memory.hpp"
#include "detail/thread_state.hpp"
#include "platform/listening.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using plain_executor = asio::io_context::executor_type;
using strand_type = asio::strand<plain_executor>;

class core;

// Guards whether the loops of all cores live. Held to post something from elsewhere; whose thread
// is inside of the loop needs no lock.
fork_mutex& loops_mutex()
{
    static fork_mutex& it = *new fork_mutex;
    return it;
}

struct waiting_accept
{
    std::uint64_t id;
    accept_handler handler;
};

// What a core has on its loop, and what goes with that.
struct on_loop_state
{
    on_loop_state(asio::io_context& loop, socket_owner listening)
        : strand(loop.get_executor()), listener(strand, listening.get())
    {
        listening.release();
    }

    strand_type strand;
    asio::posix::basic_stream_descriptor<strand_type> listener;
    std::deque<std::shared_ptr<waiting_accept>> queue;
    // Set while the core waits for a place, when nothing else keeps it, or its loop, alive.
    std::shared_ptr<core> waits_for_place;
    std::optional<asio::executor_work_guard<plain_executor>> work;
};

// The cores of one loop; they lose what they have there when the loop goes.
class cores_of_loop
{
public:
    cores_of_loop() = default;
    cores_of_loop(const cores_of_loop&) = delete;
    cores_of_loop& operator=(const cores_of_loop&) = delete;
    ~cores_of_loop();

    std::vector<core*> all;
};

cores_of_loop& cores_of(asio::io_context& loop)
{
    static auto& all = *new loop_local<cores_of_loop>;
    return all.get(loop);
}

class core final : public acceptor_core,
                   public admission::waiter,
                   public std::enable_shared_from_this<core>
{
public:
    core(asio::io_context& loop, socket_owner listening, connection_limit limit,
        peer_reader read_peer, placement place)
        : loop_(&loop),
          siblings_(&cores_of(loop)),
          limit_(std::move(limit)),
          read_peer_(std::move(read_peer)),
          place_(std::move(place)),
          state_(std::make_unique<on_loop_state>(loop, std::move(listening)))
    {
        const std::lock_guard lock(loops_mutex());
        siblings_->all.push_back(this);
    }

    core(const core&) = delete;
    core& operator=(const core&) = delete;

    ~core() override
    {
        limit_.state()->leave(*this);
        const std::lock_guard lock(loops_mutex());
        if (!state_)
            return;
        auto& all = siblings_->all;
        all.erase(std::find(all.begin(), all.end(), this));
        // No handler is in it: those keep the core.
        state_.reset();
    }

    asio::io_context* loop() const noexcept override
    {
        if (inside_loop())
            return loop_;
        const std::lock_guard lock(loops_mutex());
        return state_ ? loop_ : nullptr;
    }

    std::uint64_t next_id() noexcept override
    {
        return next_id_.fetch_add(1, std::memory_order_relaxed);
    }

    void accept(std::uint64_t id, accept_handler handler) override
    {
        // Should memory end below, the handler is destroyed without the lock.
        const auto it = std::make_shared<waiting_accept>(waiting_accept{id, std::move(handler)});
        if (!send([self = shared_from_this(), it] { self->enqueue(it); }))
            throw_error(
                error::loop_closed, "accepting on " + record_->describe() + ", which is gone");
    }

    void cancel(std::uint64_t id) override
    {
        send([self = shared_from_this(), id] { self->abort(id); });
    }

    void cancel_all() override
    {
        send([self = shared_from_this()] { self->abort_all(); });
    }

    void close() override
    {
        send([self = shared_from_this()] {
            error_code ignored;
            self->state_->listener.close(ignored);
            self->abort_all();
        });
    }

    // The loop is going; whoever calls holds the mutex, and destroys what this gives without it.
    std::unique_ptr<on_loop_state> leave_loop() noexcept { return std::move(state_); }

    // Called by the destructor of somebody's lease: what follows is not its business. Posted past
    // the strand, which would hold on to the memory beyond our end.
    void on_place() noexcept override
    {
        bool is_sent = false;
        try
        {
            is_sent = with_loop([&](bool) {
                asio::post(state_->strand.get_inner_executor(),
                    asio::bind_allocator(operation_allocator<void>(place_memory_),
                        [self = shared_from_this()] { self->take_place(); }));
            });
        }
        catch (const std::bad_alloc&)
        {} // then the place is for somebody else
        if (!is_sent)
            limit_.state()->leave(*this);
    }

    std::shared_ptr<waiter> lock() noexcept override { return weak_from_this().lock(); }

private:
    enum class waiting_for
    {
        nothing,
        connection,
        place
    };

    // Only runs that Loops makes are seen.
    bool inside_loop() const noexcept
    {
        for (const run_frame* run = thread_state::of_this_thread().run; run != nullptr;
             run = run->outer)
        {
            if (run->record == record_)
                return true;
        }
        return false;
    }

    // Calls `f(whether this thread is inside of the loop)` while the loop cannot go; false where it
    // has gone.
    template <class F>
    bool with_loop(F f)
    {
        std::unique_lock<std::mutex> lock(loops_mutex(), std::defer_lock);
        const bool is_inside = inside_loop();
        if (!is_inside)
            lock.lock();
        if (!state_)
            return false;
        f(is_inside);
        return true;
    }

    // Calls `f` on the strand: at once, where that is possible without a lock that is held.
    template <class F>
    bool send(F f)
    {
        return with_loop([&](bool is_inside) {
            if (is_inside)
                asio::dispatch(state_->strand, std::move(f));
            else
                asio::post(state_->strand, std::move(f));
        });
    }

    void take_place()
    {
        try
        {
            asio::dispatch(state_->strand,
                [self = shared_from_this()] { self->go_on(waiting_for::place, true); });
        }
        catch (const std::bad_alloc&) // the same
        {
            limit_.state()->leave(*this);
            throw;
        }
    }

    // What follows runs on the strand.

    void enqueue(const std::shared_ptr<waiting_accept>& it)
    {
        if (!state_->listener.is_open())
            return complete(*it, asio::error::bad_descriptor);
        state_->queue.push_back(it);
        if (waits_ == waiting_for::nothing)
            accept_all(false);
    }

    void complete(waiting_accept& waiting, error_code ec, accepted it = {})
    {
        it.by = shared_from_this();
        std::move(waiting.handler)(ec, std::move(it));
    }

    std::shared_ptr<waiting_accept> take_first()
    {
        auto first = std::move(state_->queue.front());
        state_->queue.pop_front();
        return first;
    }

    void abort(std::uint64_t id)
    {
        auto& queue = state_->queue;
        const auto found = std::find_if(
            queue.begin(), queue.end(), [id](const auto& each) { return each->id == id; });
        if (found == queue.end())
            return;
        const auto it = std::move(*found);
        queue.erase(found);
        complete(*it, asio::error::operation_aborted);
        stop_waiting();
    }

    void abort_all()
    {
        while (!state_->queue.empty())
            complete(*take_first(), asio::error::operation_aborted);
        stop_waiting();
    }

    // Nobody is left to wait for: no work may stay on the loop.
    void stop_waiting()
    {
        if (!state_->queue.empty())
            return;
        if (waits_ == waiting_for::place)
        {
            limit_.state()->leave(*this);
            end_of_wait();
        }
        else if (waits_ == waiting_for::connection && state_->listener.is_open())
        {
            state_->listener.cancel();
        }
    }

    void end_of_wait() noexcept
    {
        waits_ = waiting_for::nothing;
        state_->work.reset();
        state_->waits_for_place.reset();
    }

    void wait_for_connection()
    {
        waits_ = waiting_for::connection;
        state_->listener.async_wait(
            asio::posix::descriptor_base::wait_read, [self = shared_from_this()](error_code ec) {
                if (ec && ec != asio::error::operation_aborted && !self->state_->queue.empty())
                    self->complete(*self->take_first(), ec);
                self->go_on(waiting_for::connection, !ec);
            });
    }

    void go_on(waiting_for what, bool is_somebody_there)
    {
        if (waits_ != what)
            return; // given up since
        end_of_wait();
        accept_all(is_somebody_there);
    }

    // Accepts for those in the queue, until it has to wait for a connection or a place.
    //
    // At the bound, somebody has to be at the door before this stands in line for a place: sockets
    // without a client take no places from those with one.
    void accept_all(bool is_somebody_there)
    {
        admission& places = *limit_.state();
        for (; !state_->queue.empty(); is_somebody_there = false)
        {
            if (!is_somebody_there && !places.take())
                return wait_for_connection();
            if (is_somebody_there && !places.take_or_wait(*this))
                return wait_for_place();
            admitted place(limit_.state());
            platform::socket_address peer;
            error_code ec;
            socket_owner socket =
                platform::accept_connection(state_->listener.native_handle(), peer, ec);
            if (ec == asio::error::would_block)
                return wait_for_connection();
            if (platform::is_of_one_connection(ec))
                continue;
            const auto first =
                take_first(); // what put() calls may ask for the others to be aborted
            accepted it{std::move(socket), {}, {}};
            if (!ec)
                ec = put(it, peer, std::move(place));
            complete(*first, ec, std::move(it));
        }
        places.leave(*this);
    }

    void wait_for_place()
    {
        waits_ = waiting_for::place;
        state_->waits_for_place = shared_from_this();
        state_->work.emplace(state_->strand.get_inner_executor());
    }

    // Has the policy choose, which runs code of users.
    error_code put(accepted& it, const platform::socket_address& peer, admitted place)
    {
        try
        {
            selection what;
            what.cpu = platform::incoming_cpu(it.socket.get());
            if (read_peer_)
                read_peer_(peer.bytes, peer.size, what);
            it.place = place_(what);
            it.place.carry(std::make_shared<admitted>(std::move(place)));
            return {};
        }
        catch (const system_error& e)
        {
            it = {};
            return e.code();
        }
        catch (const std::bad_alloc&)
        {
            it = {};
            return make_error_code(boost::system::errc::not_enough_memory);
        }
        catch (...)
        {
            it = {};
            throw_from_loop(*loop_, std::current_exception());
            return make_error_code(boost::system::errc::state_not_recoverable);
        }
    }

    asio::io_context* const loop_;
    const std::shared_ptr<loop_record> record_ = record_of(*loop_);
    cores_of_loop* const siblings_; // as long as there is a state
    connection_limit limit_;
    const peer_reader read_peer_;
    const placement place_;
    std::atomic<std::uint64_t> next_id_{0};
    operation_memory place_memory_;
    std::unique_ptr<on_loop_state> state_;
    waiting_for waits_ = waiting_for::nothing;
};

cores_of_loop::~cores_of_loop()
{
    std::vector<std::unique_ptr<on_loop_state>> left;
    {
        const std::lock_guard lock(loops_mutex());
        for (core* const each : all)
            left.push_back(each->leave_loop());
    }
}

} // namespace

acceptor_core::~acceptor_core() = default;

std::shared_ptr<acceptor_core> acceptor_core::make(asio::io_context& loop, socket_owner listening,
    connection_limit limit, peer_reader read_peer, placement place)
{
    // One that the loop's reactor was to be asked for would block it where nobody has come.
    if (const error_code ec = platform::make_non_blocking(listening.get()))
        throw_error(ec, "having a listening socket not block");
    return std::make_shared<core>(
        loop, std::move(listening), std::move(limit), std::move(read_peer), std::move(place));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
