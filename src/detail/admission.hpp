// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_ADMISSION_HPP
#define LOOPS_SRC_DETAIL_ADMISSION_HPP

#include <loops/config.hpp>

#include "detail/fork.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/list_hook.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The places that a connection_limit has. Whoever finds none waits in line, and is handed the place
// that becomes free: nobody who comes later takes it first.
class admission : public std::enable_shared_from_this<admission>
{
public:
    // Who waits in line. It leaves the line before it is destroyed.
    class waiter : public boost::intrusive::list_base_hook<>
    {
    public:
        // A place is kept for it, until it takes it or leaves the line. Called without a lock, by
        // whoever gave the place back.
        virtual void on_place() noexcept = 0;

        // Null where it is being destroyed.
        virtual std::shared_ptr<waiter> lock() noexcept = 0;

    protected:
        waiter() = default;
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        ~waiter() = default;

    private:
        friend class admission;
        bool has_place_ = false;
    };

    explicit admission(std::size_t most) : most_(most) {}

    std::size_t most() const noexcept { return most_; }
    std::size_t in_use() const noexcept;

    // Takes a place, if one is free and nobody waits for it.
    bool take();

    // Takes the place that is kept for the waiter, or a free one; else puts it into the line, where
    // it may be already.
    bool take_or_wait(waiter& it);

    // The waiter leaves the line; a place that is kept for it goes to the next.
    void leave(waiter& it) noexcept;

    // Frees a place, or hands it on.
    void give_back() noexcept;

private:
    // Decides who gets a place that is free; he is told without the lock.
    std::shared_ptr<waiter> hand_on() noexcept;

    const std::size_t most_;
    mutable fork_mutex mutex_;
    std::size_t in_use_ = 0; // the places that are kept for waiters included
    boost::intrusive::list<waiter, boost::intrusive::constant_time_size<false>> line_;
};

// A place, given back when this is destroyed.
class admitted
{
public:
    explicit admitted(std::shared_ptr<admission> to) noexcept : to_(std::move(to)) {}
    admitted(admitted&&) noexcept = default;
    admitted& operator=(admitted&&) = delete;

    ~admitted()
    {
        if (to_)
            to_->give_back();
    }

private:
    std::shared_ptr<admission> to_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
