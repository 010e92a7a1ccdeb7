// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_RECORD_STORE_HPP
#define LOOPS_SRC_DETAIL_RECORD_STORE_HPP

#include <loops/config.hpp>

#include <boost/pool/pool.hpp>

#include <new>
#include <utility>

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
        void* const room = pool_.malloc();
        if (room == nullptr)
            throw std::bad_alloc();
        return *::new (room) T(std::forward<Arguments>(arguments)...);
    }

    void destroy(T& object) noexcept
    {
        object.~T();
        pool_.free(&object);
    }

private:
    static_assert(alignof(T) <= alignof(void*), "what the pool aligns to");

    static constexpr unsigned first = 32;
    static constexpr unsigned most =
        256; // at a time: what is taken ahead stays small beside the rest

    boost::pool<> pool_{sizeof(T), first, most};
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
