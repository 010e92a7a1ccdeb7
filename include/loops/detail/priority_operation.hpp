// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_PRIORITY_OPERATION_HPP
#define LOOPS_DETAIL_PRIORITY_OPERATION_HPP

#include <loops/config.hpp>

#include <boost/asio/recycling_allocator.hpp>
#include <boost/intrusive/slist_hook.hpp>

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class priority_service;

// A level of a loop's queue; lives as long as the loop.
struct priority_level
{
    priority_service* queue;
    int priority;
};

// A function that waits in a level. Whoever has it ends it, once.
class priority_operation : public boost::intrusive::slist_base_hook<
                               boost::intrusive::link_mode<boost::intrusive::normal_link>>
{
public:
    void call() { end_(*this, true); }
    void destroy() { end_(*this, false); }

    priority_operation(const priority_operation&) = delete;
    priority_operation& operator=(const priority_operation&) = delete;

protected:
    using ending = void (*)(priority_operation&, bool call);

    explicit priority_operation(ending end) noexcept : end_(end) {}
    ~priority_operation() = default;

private:
    ending end_;
};

// Has the loop call or, when it is closed, destroy the operation.
LOOPS_DECL void enqueue(
    const priority_level& level, priority_operation& operation, bool is_continuation) noexcept;

template <class Function, class Alloc>
class priority_function final : public priority_operation
{
    using traits = typename std::allocator_traits<Alloc>::template rebind_traits<priority_function>;
    using allocator = typename traits::allocator_type;

    struct memory
    {
        allocator from;
        void operator()(priority_function* operation)
        {
            operation->~priority_function();
            traits::deallocate(from, operation, 1);
        }
    };

public:
    template <class F>
    priority_function(F&& function, const allocator& from)
        : priority_operation(&end), function_(std::forward<F>(function)), allocator_(from)
    {}

    template <class F>
    static priority_operation& make(F&& function, const Alloc& alloc)
    {
        allocator from(alloc);
        priority_function* const room = traits::allocate(from, 1);
        try
        {
            return *::new (room) priority_function(std::forward<F>(function), from);
        }
        catch (...)
        {
            traits::deallocate(from, room, 1);
            throw;
        }
    }

private:
    static void end(priority_operation& base, bool call)
    {
        auto& self = static_cast<priority_function&>(base);
        std::unique_ptr<priority_function, memory> owner(&self, memory{self.allocator_});
        // The memory is free, for what the function starts, when it is called.
        Function function(std::move(self.function_));
        owner.reset();
        if (call)
            function();
    }

    Function function_;
    allocator allocator_;
};

template <class Function, class Alloc>
priority_operation& make_priority_operation(Function&& function, const Alloc& alloc)
{
    return priority_function<std::decay_t<Function>, Alloc>::make(
        std::forward<Function>(function), alloc);
}

// As in Asio: where no allocator was given, the memory of the threads that run loops is used again.
template <class Function, class T>
priority_operation& make_priority_operation(Function&& function, const std::allocator<T>&)
{
    return make_priority_operation(
        std::forward<Function>(function), asio::recycling_allocator<void>());
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
