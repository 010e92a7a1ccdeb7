// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_RECORD_STORE_HPP
#define LOOPS_SRC_DETAIL_RECORD_STORE_HPP

#include <loops/config.hpp>

#include <boost/pool/pool.hpp>

#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define LOOPS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOOPS_ADDRESS_SANITIZER 1
#endif
#endif
#if !defined(LOOPS_ADDRESS_SANITIZER)
#define LOOPS_ADDRESS_SANITIZER 0
#endif

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Room for objects of one size, without anything beside them, that is used again and not given back.
template <class T>
class record_store
{
public:
    template <class... Arguments>
    T& make(Arguments&&... arguments)
    {
        return *::new (allocate()) T(std::forward<Arguments>(arguments)...);
    }

    void destroy(T& object) noexcept
    {
        object.~T();
        deallocate(&object);
    }

private:
#if LOOPS_ADDRESS_SANITIZER // which would not see who uses a record of a pool's after its end
    static void* allocate()
    {
        return ::operator new(sizeof(T));
    }
    static void deallocate(void* room) noexcept
    {
        ::operator delete(room);
    }
#else
    static_assert(alignof(T) <= alignof(void*), "what the pool aligns to");

    void* allocate()
    {
        void* const room = pool_.malloc();
        if (room == nullptr)
            throw std::bad_alloc();
        return room;
    }

    void deallocate(void* room) noexcept
    {
        pool_.free(room);
    }

    // What is taken ahead stays small beside the rest.
    static constexpr unsigned at_a_time = 32;

    boost::pool<> pool_{sizeof(T), at_a_time, at_a_time};
#endif
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
