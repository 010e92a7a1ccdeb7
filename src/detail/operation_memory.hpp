// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_OPERATION_MEMORY_HPP
#define LOOPS_SRC_DETAIL_OPERATION_MEMORY_HPP

#include <loops/config.hpp>

#include <atomic>
#include <cstddef>
#include <new>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Room for one of Asio's operations at a time, so that starting it cannot fail for want of memory;
// where it is taken, the heap has to do.
class operation_memory
{
public:
    operation_memory() = default;
    operation_memory(const operation_memory&) = delete;
    operation_memory& operator=(const operation_memory&) = delete;

    void* take(std::size_t size)
    {
        if (size <= sizeof room_ && !taken_.exchange(true, std::memory_order_acquire))
            return room_;
        return ::operator new(size);
    }

    void give_back(void* memory) noexcept
    {
        if (memory == room_)
            taken_.store(false, std::memory_order_release);
        else
            ::operator delete(memory);
    }

private:
    alignas(std::max_align_t) unsigned char room_[384];
    std::atomic<bool> taken_{false};
};

template <class T>
class operation_allocator
{
public:
    using value_type = T;

    explicit operation_allocator(operation_memory& memory) noexcept : memory_(&memory) {}

    template <class U>
    operation_allocator(const operation_allocator<U>& other) noexcept : memory_(other.memory_)
    {}

    T* allocate(std::size_t count)
    {
        static_assert(alignof(T) <= alignof(std::max_align_t));
        return static_cast<T*>(memory_->take(count * sizeof(T)));
    }

    void deallocate(T* memory, std::size_t) noexcept { memory_->give_back(memory); }

    template <class U>
    bool operator==(const operation_allocator<U>& other) const noexcept
    {
        return memory_ == other.memory_;
    }

    template <class U>
    bool operator!=(const operation_allocator<U>& other) const noexcept
    {
        return memory_ != other.memory_;
    }

private:
    template <class U>
    friend class operation_allocator;

    operation_memory* memory_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
