// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_SCOREBOARD_HPP
#define PREFORK_SERVER_SCOREBOARD_HPP

#include "descriptor.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace prefork {

/// Milliseconds of a clock that all processes share.
std::int64_t monotonic_ms() noexcept;

/// What everybody may know of a worker's process, which writes it.
struct worker_slot
{
    std::atomic<std::int32_t> pid;
    std::atomic<std::int64_t> started_ms;
    std::atomic<std::uint64_t> requests;
    std::atomic<std::int64_t> connections;
};

/// What everybody may know of a worker. The master writes it.
struct worker_row
{
    std::atomic<std::uint32_t> restarts;
    /// Which slot is that of the process that serves. The others are for one that still ends, and for its
    /// successor.
    std::atomic<std::uint32_t> current;
    std::array<worker_slot, 3> slots;

    worker_slot& now() noexcept { return slots[current]; }
    const worker_slot& now() const noexcept { return slots[current]; }
};

/// One page that master and workers share; all of it readable at any time, by anybody.
///
/// It lies in memory without a name: it is gone when the last process is.
struct scoreboard
{
    static constexpr unsigned max_workers = 64;

    std::atomic<std::int32_t> master;
    std::atomic<std::int64_t> started_ms;
    std::atomic<std::uint32_t> workers;
    std::array<worker_row, max_workers> rows;
    /// Written before the first worker starts.
    std::array<char, 32> watcher;

    void set_watcher(std::string_view name) noexcept;

    /// Whether a worker has clearly more connections than another one that is there.
    bool is_ahead(unsigned index) const noexcept;
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free, "works across processes");

/// A mapping of the page; it ends with the object.
class shared_scoreboard
{
public:
    /// Makes a page, all zero.
    shared_scoreboard();

    /// Maps the page of an inherited descriptor.
    explicit shared_scoreboard(descriptor inherited);

    shared_scoreboard(const shared_scoreboard&) = delete;
    shared_scoreboard& operator=(const shared_scoreboard&) = delete;
    ~shared_scoreboard();

    /// For a worker to inherit.
    int fd() const noexcept { return fd_.get(); }

    scoreboard& operator*() const noexcept { return *page_; }
    scoreboard* operator->() const noexcept { return page_; }

private:
    void map();

    descriptor fd_;
    scoreboard* page_ = nullptr;
};

} // namespace prefork

#endif
