// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_DESCRIPTOR_WATCHER_HPP
#define LOOPS_WATCHER_DESCRIPTOR_WATCHER_HPP

#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>
#include <loops/watcher/attached_watcher.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class descriptor_waits;
} // namespace detail

/// What a descriptor may be ready for; a set.
enum class descriptor_events : unsigned
{
    /// Nothing.
    none = 0,
    /// Something can be read, or it has ended.
    read = 1,
    /// Something can be written.
    write = 2,
    /// There is priority data, or what counts as such: see poll(2), `POLLPRI`.
    priority = 4,
    /// The other side is gone.
    hang_up = 8,
    /// There is an error, which the next call on the descriptor tells.
    error = 16
};

/// What is in either.
constexpr descriptor_events operator|(descriptor_events a, descriptor_events b) noexcept
{
    return static_cast<descriptor_events>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// What is in both.
constexpr descriptor_events operator&(descriptor_events a, descriptor_events b) noexcept
{
    return static_cast<descriptor_events>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

/// Waits until descriptors are ready: those of anybody, of any kind that poll(2) knows, as eventfd, timerfd,
/// signalfd, pidfds, pipes, terminals, and the sockets of other libraries.
///
/// It reads and writes nothing and closes nothing: the descriptor stays its owner's, who must not close it while
/// it is waited for. Objects of Asio's may have the same descriptor.
///
/// Not for what looking alone takes away, as the notes of pressure of `/proc/pressure`: a process_watcher has those.
///
/// The loop that the watcher is attached to does the work. While it is detached, or its loop does not run, nothing is
/// noticed; and nothing is lost, for a wait asks what is, not what has happened.
///
/// @par Fork
/// As the base class has it.
///
/// @par Thread safety
/// As the base class has it.
///
/// @par Example
/// @code
/// loops::descriptor_watcher watcher(loop);
/// watcher.async_wait(fd, loops::descriptor_events::read,
///     [](loops::error_code ec, loops::descriptor_events ready) {
///         if (!ec)
///             std::cout << "there is something to read\n";
///     });
/// @endcode
class LOOPS_DECL descriptor_watcher : public attached_watcher
{
public:
    /// Makes a watcher that is not attached.
    /// @throws system_error where the system refuses the one descriptor that it needs.
    descriptor_watcher();

    /// Makes a watcher, and attaches it.
    /// @throws As above, and as attach_loop().
    explicit descriptor_watcher(asio::io_context& loop);

    /// Waits until a descriptor is ready for one of those things. Any number of waits for one descriptor may be under
    /// way.
    ///
    /// @param fd The descriptor. It must be open until the wait ends.
    /// @param wanted What for; hang_up and error always count, wanted or not.
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the loop that the watcher is attached to.
    ///
    /// Where the watcher is not attached, the wait is kept until it is.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code, loops::descriptor_events) @endcode
    /// What it is ready for, of what was wanted, hang_up and error.
    ///
    /// @par Errors
    /// `bad_file_descriptor`: it is not open. `operation_not_permitted`: it cannot be polled, as a plain file. `operation_aborted`: the
    /// wait was cancelled, or the watcher closed. `error::watcher_closed`, `error::forked`. What the
    /// system says else, as that there is no memory.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: the wait ends with `operation_aborted`, and nothing else changes.
    ///
    /// @throws std::bad_alloc
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, descriptor_events))
                  CompletionToken = detail::default_token>
    auto async_wait(
        int fd, descriptor_events wanted, CompletionToken&& token = detail::default_token());

private:
    using wait_handler = asio::any_completion_handler<void(error_code, descriptor_events)>;

    void start_wait(int fd, descriptor_events wanted, wait_handler handler);

    detail::descriptor_waits& own_waits() const noexcept;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/descriptor_watcher.hpp>

#endif
