// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PRIORITY_EXECUTOR_HPP
#define LOOPS_PRIORITY_EXECUTOR_HPP

#include <loops/config.hpp>
#include <loops/detail/priority_operation.hpp>

#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>

#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

/// Runs functions on a loop in the order of their priorities. See @ref priority_executor, which is
/// what a priority_policy gives out.
///
/// @tparam LoopExecutor An executor of an `io_context`, which keeps the properties: Asio's
/// `require()` and `prefer()` give an executor of the same priority with another one of these.
template <class LoopExecutor>
class basic_priority_executor
{
public:
    /// @cond
    basic_priority_executor(
        const LoopExecutor& of_loop, const detail::priority_level& level) noexcept
        : of_loop_(of_loop), level_(&level)
    {}
    /// @endcond

    /// The priority; of two, the greater one comes first.
    int priority() const noexcept { return level_->priority; }

    /// Hands a function over to be run; never inside of this call, whatever `blocking` is: it would
    /// jump the queue. Where the loop is closed the function is destroyed.
    ///
    /// @throws What allocating from the `allocator` property throws, and moving the function.
    template <class Function>
    void execute(Function&& function) const
    {
        namespace execution = asio::execution;
        enqueue(std::forward<Function>(function), asio::query(of_loop_, execution::allocator),
            asio::query(of_loop_, execution::relationship) == execution::relationship.continuation);
    }

    /// Gives an executor of the same loop and priority with a property of the loop's executors:
    /// `blocking`, `relationship`, `outstanding_work`, `allocator`. For `asio::require()`.
    template <class Property,
        std::enable_if_t<asio::can_require<const LoopExecutor&, Property>::value, int> = 0>
    auto require(const Property& property) const
    {
        using required = decltype(asio::require(of_loop_, property));
        return basic_priority_executor<std::decay_t<required>>(
            asio::require(of_loop_, property), *level_);
    }

    /// Gives a property of the loop's executor, also `context` and `mapping`. For `asio::query()`.
    template <class Property,
        std::enable_if_t<asio::can_query<const LoopExecutor&, Property>::value, int> = 0>
    auto query(const Property& property) const noexcept
        -> std::remove_const_t<typename asio::query_result<const LoopExecutor&, Property>::type>
    {
        return asio::query(of_loop_, property);
    }

    /// Whether the two have the same loop, priority and properties.
    friend bool operator==(
        const basic_priority_executor& a, const basic_priority_executor& b) noexcept
    {
        return a.level_ == b.level_ && a.of_loop_ == b.of_loop_;
    }

    /// Whether they differ in loop or priority.
    friend bool operator!=(
        const basic_priority_executor& a, const basic_priority_executor& b) noexcept
    {
        return !(a == b);
    }

#if !defined(BOOST_ASIO_NO_TS_EXECUTORS)
    /// @cond
    // Asio's strands pass these on to what they wrap, and its work guards call them on strands.
    auto& context() const noexcept
    {
        return of_loop_.context();
    }
    void on_work_started() const noexcept
    {
        of_loop_.on_work_started();
    }
    void on_work_finished() const noexcept
    {
        of_loop_.on_work_finished();
    }

    template <class Function, class Alloc>
    void dispatch(Function&& function, const Alloc& alloc) const
    {
        enqueue(std::forward<Function>(function), alloc, false);
    }

    template <class Function, class Alloc>
    void post(Function&& function, const Alloc& alloc) const
    {
        enqueue(std::forward<Function>(function), alloc, false);
    }

    template <class Function, class Alloc>
    void defer(Function&& function, const Alloc& alloc) const
    {
        enqueue(std::forward<Function>(function), alloc, true);
    }
    /// @endcond
#endif

private:
    template <class Function, class Alloc>
    void enqueue(Function&& function, const Alloc& alloc, bool is_continuation) const
    {
        detail::enqueue(*level_,
            detail::make_priority_operation(std::forward<Function>(function), alloc),
            is_continuation);
    }

    LoopExecutor of_loop_;
    const detail::priority_level* level_;
};

/// The executor that priority_policy::get_executor() gives: of one loop and one priority.
///
/// It is an executor in all of Asio's senses: build I/O objects and timers on it, bind it to
/// handlers, spawn coroutines on it, wrap it in a strand, convert it to `any_io_executor` or
/// `any_completion_executor`. The priority is the executor's, not a wrapped handler's: what a
/// composed operation does in between has its place in the order as well, and so has the completion
/// of an operation of the system, from the moment at which the loop hears of it.
///
/// Functions of one loop start in this order: higher priorities first; those of one priority as
/// they came; and a priority that was passed over `priority_options::ageing` times in a row has one
/// turn. Handlers that came to the loop by its own executor take turns with those that came by
/// priorities, as they would with any. A strand is one function each time that it runs, with as many
/// handlers as wait in it by then.
///
/// The functions wait on the loop: they are its outstanding work, `run_one()` runs one, `stop()`
/// leaves them where they are, closing the loop destroys them uncalled, and an exception leaves the
/// loop's run as any handler's does.
///
/// It must not be used once the loop is destroyed. It is the size of two pointers.
///
/// @par Thread safety
/// As any executor's: its members may be called concurrently.
///
/// @par Complexity
/// Constant for execute(); a function that starts looks at each priority that has any waiting.
using priority_executor = basic_priority_executor<asio::io_context::executor_type>;

} // namespace LOOPS_ABI
} // namespace loops

#endif
