// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_PROCESS_WAITS_HPP
#define LOOPS_SRC_WATCHER_PROCESS_WAITS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>
#include <loops/watcher/process_watcher.hpp>

#include "watcher/event_waits.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a process_watcher does: an inner epoll holds the pidfds, each under a number that is never used again, and
// the descriptor of the kernel's notes of pressure.
class process_waits final : public event_waits<process_event>
{
public:
    static std::shared_ptr<process_waits> make(const process_watch_options& options);

    process_waits(int epoll, const process_watch_options& options);
    ~process_waits() override;

    const char* of_what() const noexcept override { return "processes"; }

    // The pidfd becomes this object's, whatever comes of it.
    void add_process(pid_type pid, int pidfd, const process_limits& limits, error_code& ec);
    bool remove_process(pid_type pid);
    std::vector<pid_type> processes() const;
    process_sample sample(pid_type pid, error_code& ec);
    error_code pressure_error() const { return pressure_error_; }

private:
    struct watched
    {
        pid_type pid = 0;
        int pidfd = -1;
        process_limits limits;
        std::optional<process_sample> last;
        std::array<bool, 4> is_above{}; // by process_metric
        // Since when it has ended without a status that could be had.
        std::optional<loop_clock::time_point> ended_at;
    };
    using watched_map = std::map<std::uint64_t, watched>;

    void look(std::size_t enough) override;
    std::optional<process_event> take() override;
    std::optional<loop_clock::time_point> next_look() const override;
    void clear() noexcept override;

    watched_map::iterator find(pid_type pid);
    void forget(watched_map::iterator it) noexcept;
    void look_for_end(watched_map::iterator it);
    void look_at_all();
    void look_at(watched& it);
    void judge(watched& it);
    std::optional<process_sample> take_sample(watched& it, error_code& ec) const;

    const process_watch_options options_;
    int pressure_ = -1;
    error_code pressure_error_;
    watched_map processes_;
    std::deque<process_event> events_;
    std::uint64_t last_number_ = 0; // of processes_; 0 is the pressure's
    loop_clock::time_point looked_at_all_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
