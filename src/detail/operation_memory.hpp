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
// where it is taken, the heap has to do. The room stays for an operation that outlives this: Asio's
// io_uring backend looks at some while it is destroyed, after the services that started them.
class operation_memory
{
public:
    class room
    {
    public:
        void* take(std::size_t size)
        {
            unsigned expected = kept;
            if (size <= sizeof bytes_ &&
                uses_.compare_exchange_strong(expected, kept | taken, std::memory_order_acquire))
                return bytes_;
            return ::operator new(size);
        }

        void give_back(void* memory) noexcept
        {
            if (memory == bytes_)
                drop(taken);
            else
                ::operator delete(memory);
        }

    private:
        friend class operation_memory;

        static constexpr unsigned kept = 1;
        static constexpr unsigned taken = 2;

        void drop(unsigned use) noexcept
        {
            if (uses_.fetch_and(~use, std::memory_order_acq_rel) == use)
                delete this;
        }

        alignas(std::max_align_t) unsigned char bytes_[384];
        std::atomic<unsigned> uses_{kept};
    };

    operation_memory() : room_(new room) {}
    operation_memory(const operation_memory&) = delete;
    operation_memory& operator=(const operation_memory&) = delete;
    ~operation_memory() { room_->drop(room::kept); }

    room& get() noexcept { return *room_; }

private:
    room* const room_;
};

template <class T>
class operation_allocator
{
public:
    using value_type = T;

    explicit operation_allocator(operation_memory& memory) noexcept : memory_(&memory.get()) {}

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

    operation_memory::room* memory_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
