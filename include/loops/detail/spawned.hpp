// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_SPAWNED_HPP
#define LOOPS_DETAIL_SPAWNED_HPP

#include <loops/detail/io_context_of.hpp>
#include <loops/detail/task_hook.hpp>
#include <loops/error.hpp>
#include <loops/task.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The completion of a detached task.
class throw_detached
{
public:
    explicit throw_detached(asio::io_context* loop) noexcept : loop_(loop) {}

    template <class... Results>
    void operator()(std::exception_ptr exception, const Results&...) const
    {
        if (!exception)
            return;
        if (loop_ == nullptr)
            std::rethrow_exception(exception);
        throw_from_loop(*loop_, std::move(exception));
    }

private:
    asio::io_context* loop_;
};

// The life of a spawned task, from spawn() to its completion: what it is counted by, cancelled
// through, and completed with. Derived classes know how it starts.
template <class Executor, class Handler, class... Results>
class spawned : public startable,
                public task_hook,
                public std::enable_shared_from_this<spawned<Executor, Handler, Results...>>
{
public:
    spawned(const Executor& executor, Handler handler, bool may_wait)
        : executor_(executor),
          handler_(std::move(handler)),
          work_(asio::get_associated_executor(*handler_, executor_)),
          loop_(io_context_of(executor_)),
          may_wait_(may_wait)
    {}

    // Before anything can end it. Throws loop_closed.
    void enroll()
    {
        if (loop_ != nullptr)
            record_ = add_task(*loop_, *this);
        auto slot = asio::get_associated_cancellation_slot(*handler_);
        if (!slot.is_connected())
            return;
        slot.assign(forward{this->weak_from_this()});
        in_slot_ = true;
    }

    // Completes a task that could not be enrolled. On its loop nothing runs any more.
    void complete_elsewhere(std::exception_ptr exception)
    {
        if constexpr (std::is_same_v<Handler, throw_detached>)
            std::rethrow_exception(exception);
        else
            complete(asio::get_associated_executor(*handler_, asio::system_executor()),
                std::tuple<>(), delivery::post, std::move(exception), Results()...);
    }

    // Keeps the executor at work for a task that may have to wait for its start, until its end:
    // whoever starts it may be the last to touch the loop.
    void hold() { held_back_.emplace(executor_); }

    asio::io_context* loop() const noexcept override { return loop_; }
    bool may_wait() const noexcept override { return may_wait_; }

    void passing() noexcept override { passing_.fetch_add(one_pass); }

    // The task factory has returned, or thrown: of a task that it refused meanwhile this is the
    // end, so that a task that is dropped by an exception completes with that exception. Factories
    // are nested, and one that was handed the task may be at it still when the one before returns:
    // the last of them ends it.
    void passed(std::exception_ptr failure) override
    {
        if (failure && (passing_.fetch_or(failed) & failed) == 0)
            failure_ = std::exchange(failure, nullptr);
        const unsigned before = passing_.fetch_sub(one_pass);
        if (before < 2 * one_pass)
        {
            std::exception_ptr first;
            if ((before & failed) != 0)
            {
                first = std::move(failure_);
                passing_.fetch_and(~failed);
            }
            if ((before & refused) != 0)
                end_unstarted(first ? std::move(first) : refusal());
            else if (first)
                throw_beside(std::move(first));
        }
        if (failure)
            throw_beside(std::move(failure));
    }

    // From any thread. The signal itself belongs to the task's executor.
    void request_cancel() override
    {
        if (!tell(asio::cancellation_type::terminal))
            return;
        if (auto self = this->weak_from_this().lock())
            asio::post(executor_, [self = std::move(self)] { self->on_cancel_(); });
    }

    void on_end(std::function<void()> function) override
    {
        if (on_end_)
            on_end_ = [first = std::move(function), then = std::move(on_end_)] {
                first();
                then();
            };
        else
            on_end_ = std::move(function);
    }

    void on_cancel(std::function<void()> function) override
    {
        // Once the task was told, the function that was there may be being called.
        if ((asked_.fetch_and(~held) & any_type) != 0)
        {
            function();
            return;
        }
        on_cancel_ = std::move(function);
        if ((asked_.fetch_or(held) & any_type) != 0)
            on_cancel_();
    }

    void start() override
    {
        if (told_to_end())
        {
            refuse(asio::error::operation_aborted);
            return;
        }
        try
        {
            begin();
        }
        catch (...)
        {
            end_unstarted(std::current_exception());
            return;
        }
        const unsigned before = asked_.fetch_or(started);
        if ((before & any_type) != 0)
            emit(static_cast<asio::cancellation_type>(before & any_type));
        else
            on_cancel_ = nullptr;
    }

    void refuse(error_code ec) override
    {
        refused_with_ = ec;
        if (passing_.fetch_or(refused) < one_pass)
            end_unstarted(refusal());
    }

    const Executor& executor() const noexcept { return executor_; }
    asio::cancellation_slot slot() noexcept { return signal_.slot(); }

    void end(std::exception_ptr exception, Results... results)
    {
        if (handler_)
            complete(asio::get_associated_executor(*handler_, executor_), std::move(work_),
                delivery::dispatch, std::move(exception), std::move(results)...);
    }

    // The task lost its way to tell its end. Not inline: this happens in destructors, and a handler
    // may throw.
    void drop()
    {
        if (handler_)
            complete(asio::get_associated_executor(*handler_, executor_), std::move(work_),
                delivery::post,
                std::make_exception_ptr(system_error(asio::error::operation_aborted)),
                Results()...);
    }

protected:
    ~spawned() override { retire(); }

    virtual void begin() = 0;

private:
    // What passing_ holds, beside the number of factories that are inside of their call.
    static constexpr unsigned refused = 1;
    static constexpr unsigned failed = 2; // and failure_ is set
    static constexpr unsigned one_pass = 4;

    // What asked_ holds: the types of cancellation that were asked for, and
    static constexpr unsigned any_type =
        static_cast<unsigned>(asio::cancellation_type::terminal | asio::cancellation_type::partial |
                              asio::cancellation_type::total);
    static constexpr unsigned held = 8; // on_cancel_ is set
    static constexpr unsigned started = 16;
    static_assert((any_type & (held | started)) == 0);

    enum class delivery
    {
        dispatch,
        post,
    };

    using handler_executor = asio::associated_executor_t<Handler, Executor>;

    struct forward
    {
        std::weak_ptr<spawned> to;
        void operator()(asio::cancellation_type type)
        {
            if (const auto task = to.lock())
                task->cancel(type);
        }
    };

    template <class Alloc, class F>
    struct with_alloc
    {
        using allocator_type = Alloc;
        Alloc alloc;
        F f;
        allocator_type get_allocator() const noexcept { return alloc; }
        void operator()() { std::move(f)(); }
    };

    template <class Alloc, class F>
    static with_alloc<Alloc, F> bound_alloc(const Alloc& alloc, F f)
    {
        return {alloc, std::move(f)};
    }

    void cancel(asio::cancellation_type type)
    {
        if (tell(type))
            on_cancel_();
    }

    bool told_to_end() const noexcept { return (asked_ & any_type) != 0; }

    // Passes a started task the signal, and has others hear of it when they are to start. True: who
    // holds the task back is to let go of it.
    bool tell(asio::cancellation_type type)
    {
        const unsigned asked = static_cast<unsigned>(type) & any_type;
        const unsigned before = asked_.fetch_or(asked);
        if ((before & started) != 0)
            emit(type);
        return asked != 0 && (before & (held | started | any_type)) == held;
    }

    void emit(asio::cancellation_type type)
    {
        if (auto self = this->weak_from_this().lock())
            asio::post(executor_, [self = std::move(self), type] { self->signal_.emit(type); });
    }

    std::exception_ptr refusal() const
    {
        return std::make_exception_ptr(system_error(refused_with_, "the task was not started"));
    }

    void throw_beside(std::exception_ptr exception)
    {
        if (loop_ == nullptr)
            std::rethrow_exception(exception);
        throw_from_loop(*loop_, std::move(exception));
    }

    void end_unstarted(std::exception_ptr exception)
    {
        if (handler_)
            complete(asio::get_associated_executor(*handler_, executor_), std::move(work_),
                delivery::post, std::move(exception), Results()...);
    }

    template <class To, class Work>
    void complete(
        const To& to, Work work, delivery how, std::exception_ptr exception, Results... results)
    {
        // A runner has asked the task to end, and knows that it did.
        if constexpr (std::is_same_v<Handler, throw_detached>)
        {
            if (told_to_end() && is_aborted(exception))
                exception = nullptr;
        }
        // Elsewhere than on its loop the task is counted until its completion is on the way, so
        // that a runner that waits for the last task finds the completion queued.
        const bool inside = loop_ == nullptr || loop_->get_executor().running_in_this_thread();
        if (inside)
            retire();
        if (on_end_)
            std::exchange(on_end_, nullptr)();
        held_back_.reset();
        Handler handler = std::move(*handler_);
        handler_.reset();
        const auto alloc = asio::get_associated_allocator(handler);
        // The work goes with the handler: the handler's loop may be gone as soon as it has run.
        auto call = asio::bind_executor(
            to, bound_alloc(alloc, [handler = std::move(handler), work = std::move(work),
                                       in_slot = in_slot_, exception = std::move(exception),
                                       results = std::make_tuple(std::move(results)...)]() mutable {
                if (in_slot)
                    clear_slot(handler);
                std::apply(std::move(handler),
                    std::tuple_cat(std::make_tuple(std::move(exception)), std::move(results)));
            }));
        if (how == delivery::post)
            asio::post(std::move(call));
        else
            asio::dispatch(std::move(call));
        retire();
    }

    void retire() noexcept
    {
        if (record_)
            remove_task(*std::exchange(record_, nullptr), *this);
    }

    const Executor executor_;
    std::optional<Handler> handler_;
    asio::executor_work_guard<handler_executor> work_;
    asio::io_context* const loop_;
    std::shared_ptr<loop_record> record_;
    asio::cancellation_signal signal_;
    std::function<void()> on_end_;
    std::function<void()> on_cancel_;
    std::optional<asio::executor_work_guard<Executor>> held_back_;
    std::atomic<unsigned> passing_{0};
    std::atomic<unsigned> asked_{0};
    error_code refused_with_;
    std::exception_ptr failure_;
    const bool may_wait_;
    bool in_slot_ = false;
};

// What a C++17 task is given to report its end with.
template <class State>
class task_done
{
public:
    using executor_type = std::decay_t<decltype(std::declval<State&>().executor())>;
    using cancellation_slot_type = asio::cancellation_slot;

    explicit task_done(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    task_done(task_done&&) noexcept = default;
    task_done& operator=(task_done&&) = delete;

    ~task_done() // NOLINT(bugprone-exception-escape): without memory nobody could hear of the end
    {
        if (state_)
            state_->drop();
    }

    executor_type get_executor() const noexcept { return state_->executor(); }
    cancellation_slot_type get_cancellation_slot() const noexcept { return state_->slot(); }

    void operator()(std::exception_ptr exception = nullptr)
    {
        if (const auto state = std::exchange(state_, nullptr))
            state->end(std::move(exception));
    }

    template <class... Ignored>
    void operator()(error_code ec, const Ignored&...)
    {
        (*this)(ec ? std::make_exception_ptr(system_error(ec)) : nullptr);
    }

private:
    std::shared_ptr<State> state_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
