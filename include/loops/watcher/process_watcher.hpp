// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_PROCESS_WATCHER_HPP
#define LOOPS_WATCHER_PROCESS_WATCHER_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>
#include <loops/watcher/attached_watcher.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class process_waits;
} // namespace detail

/// What of a process can be held against a limit.
enum class process_metric
{
    /// Its resident memory, in bytes.
    resident_memory,
    /// The CPU time that it took, of all its threads, in the time between two samples: 1 is one CPU.
    cpu_share,
    /// Its open descriptors.
    descriptors,
    /// Its threads.
    threads
};

/// Writes the name: `resident_memory`.
LOOPS_DECL std::ostream& operator<<(std::ostream& to, process_metric which);

/// From what on a process is too large; nothing: it may be as large as it likes.
struct process_limits
{
    /// In bytes.
    std::optional<std::uint64_t> resident_memory;
    /// Of one CPU: 1 is all of it, and with several threads it may be more.
    std::optional<double> cpu_share;
    /// How many are open.
    std::optional<std::size_t> descriptors;
    /// How many it has.
    std::optional<std::size_t> threads;

    /// By which share of the limit a value that was above it has to be below it before that is told, so that one that
    /// wavers about the limit is not told each time. From 0 to 1.
    double relief = 0.05;
};

/// How large a process was.
struct process_sample
{
    /// When it was taken.
    std::chrono::steady_clock::time_point at;
    /// In bytes.
    std::uint64_t resident_memory = 0;
    /// Since it was started.
    std::chrono::nanoseconds cpu_time{};
    /// Since the sample before; 0 in the first one.
    double cpu_share = 0;
    /// 0 where the system does not let this process count them.
    std::size_t descriptors = 0;
    /// How many threads it had.
    std::size_t threads = 0;

    /// The value that a limit of that name is compared with.
    double value(process_metric which) const noexcept
    {
        switch (which)
        {
        case process_metric::resident_memory: return static_cast<double>(resident_memory);
        case process_metric::cpu_share: return cpu_share;
        case process_metric::descriptors: return static_cast<double>(descriptors);
        case process_metric::threads: break;
        }
        return static_cast<double>(threads);
    }
};

/// Something that happened to a process.
struct process_event
{
    /// What has happened.
    enum class kind
    {
        /// It has ended, and is watched no more.
        ended,
        /// It is larger than its limit.
        above,
        /// It is smaller than the limit again, by the relief.
        below
    };

    /// What has happened.
    kind what = kind::ended;
    /// The process.
    pid_type pid = 0;
    /// Of `above` and `below`: which limit.
    process_metric metric = process_metric::resident_memory;
    /// The sample that showed it; of an end, the last one before.
    process_sample sample;
    /// Of an end: how, where the system tells.
    std::optional<child_exit> exit;
};

/// Writes the name: `above`.
LOOPS_DECL std::ostream& operator<<(std::ostream& to, process_event::kind what);

/// How a process_watcher looks at processes.
struct process_watch_options
{
    /// How often they are held against their limits, while somebody waits. A sample costs some 20 us a process; one that counts
    /// descriptors on a Linux before 6.2 some us for each of them.
    std::chrono::nanoseconds interval = std::chrono::seconds(1);

    /// Whether they are looked at as well whenever the kernel says that tasks have to wait for memory (pressure stall
    /// information: `/proc/pressure/memory`), which is when a process that grows does harm. It costs a descriptor.
    bool pressure = true;

    /// How long an end is held back for the status, where the process's parent has not taken it yet, and the kernel tells
    /// it to nobody else before.
    std::chrono::nanoseconds status_patience = std::chrono::milliseconds(100);
};

/// Watches processes, children or not: when they end, and when they grow beyond limits.
///
/// The status of an end is known of children; of other processes where the kernel tells it (`PIDFD_GET_INFO`, Linux
/// 6.15). It reaps none: who waits for a child does that besides.
///
/// Limits are looked at when a process is added, and then at intervals, while somebody waits; `above` is told once, and again only after
/// `below`. One that is above its limit and back between two samples is not noticed.
///
/// The loop that the watcher is attached to does the work. It takes a descriptor for each process, two more, and one of the
/// loop.
///
/// @par Fork
/// As the base class has it.
///
/// @par Thread safety
/// As the base class has it.
///
/// @par Example
/// @code
/// loops::process_watcher watcher(loop);
/// loops::process_limits limits;
/// limits.resident_memory = 512 << 20;
/// watcher.add(pid, limits);
/// watcher.async_wait([](loops::error_code ec, loops::process_event event) {
///     if (!ec && event.what == loops::process_event::kind::above)
///         std::cout << event.pid << " has " << event.sample.resident_memory << " bytes\n";
/// });
/// @endcode
class LOOPS_DECL process_watcher : public attached_watcher
{
public:
    /// Makes a watcher that is not attached, and watches nothing yet.
    /// @throws system_error where the system refuses a descriptor, and with `invalid_argument` for an interval that is not
    /// above 0, or a negative patience.
    explicit process_watcher(process_watch_options options = {});

    /// Makes a watcher, and attaches it.
    /// @throws As above, and as attach_loop().
    explicit process_watcher(asio::io_context& loop, process_watch_options options = {});

    /// Watches a process from now on. Watched already: the limits are replaced.
    ///
    /// @param pid Its number. The caller sees to it that it is still that process's: by being its parent, or by
    /// add_pidfd().
    /// @throws system_error with `no_such_process`; `permission_denied` where its descriptors are to be counted and may not be;
    /// `invalid_argument` for limits that make no sense; `error::watcher_closed` or
    /// `error::forked`; what the system says else, as that there is no descriptor. All is as before then.
    void add(pid_type pid, const process_limits& limits = {});

    /// The same, with the error in `ec`.
    void add(pid_type pid, const process_limits& limits, error_code& ec);

    /// The same of the process that a pidfd stands for, which stays the caller's.
    /// @throws As add(); and `bad_file_descriptor` where it is none.
    void add_pidfd(int pidfd, const process_limits& limits = {});

    /// The same, with the error in `ec`.
    void add_pidfd(int pidfd, const process_limits& limits, error_code& ec);

    /// Ends the watch of a process. Events that are known are told all the same.
    /// @return Whether it was watched.
    bool remove(pid_type pid);

    /// The processes that are watched, in the order of their adding.
    std::vector<pid_type> processes() const;

    /// Looks at a process that is watched, now; it counts as one of the samples.
    /// @throws system_error with `no_such_process` where it is not watched, or has ended.
    process_sample sample(pid_type pid);

    /// The same, with the error in `ec`.
    process_sample sample(pid_type pid, error_code& ec);

    /// Why the kernel does not tell of pressure; none where it does. `operation_not_supported` where it was not
    /// asked for.
    error_code pressure_error() const;

    /// Waits for the next event. Several waits get one each, in their order.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the loop that the watcher is attached to.
    ///
    /// Where the watcher is not attached, the wait is kept until it is.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code, loops::process_event) @endcode
    ///
    /// @par Errors
    /// `operation_aborted`: the wait was cancelled, or the watcher closed. `error::watcher_closed`, `error::forked`. What the
    /// system says else, as that there is no descriptor.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: the wait ends with `operation_aborted`, and no event is lost.
    ///
    /// @throws std::bad_alloc
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, process_event))
                  CompletionToken = detail::default_token>
    auto async_wait(CompletionToken&& token = detail::default_token());

private:
    using wait_handler = asio::any_completion_handler<void(error_code, process_event)>;

    void start_wait(wait_handler handler);

    detail::process_waits& own_waits() const noexcept;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/process_watcher.hpp>

#endif
