// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_CHILD_WATCHER_HPP
#define LOOPS_CHILD_WATCHER_HPP

#include <loops/child_exit.hpp>
#include <loops/child_state.hpp>
#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class handler_table;
class registry_watcher;

// What Boost.Process's objects have, whichever version.
template <class Process>
using if_process = decltype(pid_type(std::declval<Process&>().id()),
    static_cast<void>(std::declval<Process&>().detach()));
} // namespace detail

/// Tells when child processes end: each registered wait ends exactly once, with the true status.
///
/// There is one interface whatever the mechanism; see `loops/watcher/` for those. A wait is
/// delivered by the first that there is of: the handler's associated executor; the loop that the
/// watcher is attached to; the loop that runs on the registering thread; that thread's current
/// loop, which is not made for this. There being none, it completes with
/// `error::no_running_event_loop` on a thread of Loops.
///
/// Where a watcher has to be attached first (safe_child_watcher, fast_child_watcher), or was detached by
/// `attach_loop(nullptr)`, a wait without an executor of its own is kept until it is attached, which the
/// log hook is told; is_active() says so beforehand.
///
/// An associated executor that belongs to no loop (a thread pool's, that of `use_future`, the
/// system executor) needs none, and is independent of all of them: a thread of Loops watches for it.
///
/// A wait for a loop that is closed or destroyed before it ended is destroyed uncalled, as Asio's
/// operations are.
///
/// A watcher never signals a child. But for fast_child_watcher it reaps only children that were
/// registered, with any watcher.
///
/// @par Deriving
/// A watcher of the user's overrides `do_async_wait()`, and what it needs of the hooks. All of them
/// may be called concurrently, on any thread; none is called with a lock of Loops held. A handler
/// may be completed on any thread, and is to be completed and destroyed with no lock held that the
/// user's code might want.
///
/// @par Fork
/// In a forked child a watcher of the parent refuses work with `error::forked`, and its waits end
/// with that error when their loops are told, by `notify_fork(fork_child)`; those for executors of no
/// loop, when the watcher is closed.
///
/// @par Thread safety
/// All members but the destructor may be called concurrently.
class LOOPS_DECL child_watcher
{
public:
    /// What a wait completes with.
    using wait_signature = void(error_code, child_exit);

    /// What a wait for a change of state completes with.
    using state_signature = void(error_code, child_state);

    /// A wait's completion handler with its type erased; it keeps the associations.
    using wait_handler = asio::any_completion_handler<wait_signature>;

    /// Names a handler of add_child_handler() to the hooks. Never used twice in a process; of two
    /// handlers the later one has the greater number.
    using handler_id = std::uint64_t;

    child_watcher(const child_watcher&) = delete;
    child_watcher& operator=(const child_watcher&) = delete;

    /// Destroys the watcher. Derived classes call close() in their own destructors.
    virtual ~child_watcher();

    /// What the watcher is called in messages.
    virtual std::string name() const = 0;

    /// Waits for a child to end.
    ///
    /// Starts an asynchronous wait and returns at once. Any number of waits for one child may be
    /// under way, here and with other watchers; the child is reaped once, and each wait completes.
    /// A child that is dead already completes normally.
    ///
    /// The watcher must live until the wait was started: what a lazy token as `asio::deferred`
    /// gives holds a plain pointer to it. Destroying it later aborts the wait, as close() does.
    /// The loop need not live: closed or destroyed before the wait ended, it destroys the handler
    /// uncalled.
    ///
    /// @param pid The child; greater than 0.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function. It
    /// is invoked through its associated executor; see the class for what stands in where it has
    /// none, and for which thread watches where that executor belongs to no loop. Its own
    /// storage is obtained by its associated allocator.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code, loops::child_exit) @endcode
    ///
    /// @par Errors
    /// `error::not_a_child`: at registration there was no such child of this process, and no exit
    /// of it was kept. `error::child_status_lost`: it was there, but somebody else took its
    /// status. `error::watcher_closed`, `error::forked`: this watcher cannot be used.
    /// `error::no_running_event_loop`: there is no loop to deliver it. `operation_aborted`: the
    /// wait was cancelled, or the watcher closed. Otherwise what the system said. With an error the
    /// exit is of no process: its `pid()` is 0.
    ///
    /// @par Per-Operation Cancellation
    /// `terminal`, `partial`, `total`: the wait ends with `operation_aborted`. The child is neither
    /// signalled nor reaped, and may be waited for again.
    ///
    /// @throws system_error with `invalid_argument` for a pid of 0 or less. `std::bad_alloc`, or
    /// system_error where a loop that watches its first child, or the thread of Loops, cannot be had
    /// of the system. Nothing is left then, and the handler is not called.
    ///
    /// @par Example
    /// @code
    /// watcher.async_wait(pid, [](loops::error_code ec, loops::child_exit exit) {
    ///     if (!ec)
    ///         std::cout << exit.pid() << " ended with " << exit.returncode() << '\n';
    /// });
    /// loops::child_exit exit = co_await watcher.async_wait(pid, boost::asio::use_awaitable);
    /// @endcode
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit))
                  CompletionToken = detail::default_token>
    auto async_wait(pid_type pid, CompletionToken&& token = detail::default_token());

    /// Waits for the end of a child that Boost.Process started, and detaches the object, whose
    /// destructor would signal and wait by number: that must not happen once the child was reaped
    /// here.
    ///
    /// @param process A `boost::process::child` (v1), a `boost::process::v2::basic_process`, a
    /// started_process, or whatever has their `id()` and `detach()`; moved from. It is detached when the wait starts: by
    /// a lazy token that is never run, never. Where the wait cannot be started the child is detached
    /// all the same, neither signalled nor reaped. It must be running or dead, and not waited for
    /// before.
    ///
    /// @param token The completion token, as for a pid; so are the completion signature, the errors, and
    /// what a cancellation does.
    ///
    /// @throws As for a pid. For an object without a process, `invalid_argument`: it is as before.
    template <class Process,
        BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit))
            CompletionToken = detail::default_token,
        class = detail::if_process<Process>>
    auto async_wait(Process&& process, CompletionToken&& token = detail::default_token());

    /// Waits until a child is stopped by a signal, continued, or ends: whichever is next.
    ///
    /// What happened before, and was not told to anybody, is told at once; of several changes the
    /// last. Where more waits are under way for one child, all of them are told. It reaps a child
    /// that ended.
    ///
    /// @param pid The child; greater than 0.
    /// @param token The completion token, as for async_wait().
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code, loops::child_state) @endcode
    ///
    /// @par Errors
    /// Those of async_wait(). `operation_not_supported` by a watcher that cannot see it: those that
    /// can are multi_loop_child_watcher and safe_child_watcher.
    ///
    /// @par Per-Operation Cancellation
    /// As for async_wait().
    ///
    /// @throws As async_wait().
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_state))
                  CompletionToken = detail::default_token>
    auto async_wait_state(pid_type pid, CompletionToken&& token = detail::default_token());

    /// Registers a handler for a child's end; one for each pid, a second one replaces the first.
    ///
    /// The handler is never invoked inside of this function, and runs where the handler of
    /// async_wait() would. It is destroyed uncalled when it is replaced or removed, and, as a
    /// wait's, with the loop that was to run it. A handler that throws harms no other one: the
    /// exception leaves the run of its loop.
    ///
    /// @param pid The child; greater than 0.
    /// @param handler A handler that accepts `(error_code, child_exit)` is called so, with the
    /// errors of async_wait(). Otherwise it is called as `handler(pid, returncode)`, with
    /// `returncode_lost` where there is no status; and destroyed uncalled by close().
    /// Its associated executor and allocator are honoured, a cancellation slot is not: there is
    /// remove_child_handler().
    ///
    /// @throws system_error with `invalid_argument`, `error::watcher_closed`, `error::forked`, or
    /// `error::loop_closed` where the loop that would run it is closed; `std::bad_alloc`, and what
    /// else async_wait() throws. Nothing is left then, and an earlier handler stays.
    ///
    /// @par Example
    /// @code
    /// watcher.add_child_handler(pid, [](loops::pid_type ended, int returncode) {
    ///     std::cout << ended << " ended with " << returncode << '\n';
    /// });
    /// @endcode
    template <class Handler>
    void add_child_handler(pid_type pid, Handler&& handler);

    /// The same, reporting by an error code what the registration itself met.
    ///
    /// @param pid The child.
    /// @param handler As above.
    /// @param ec No error where the handler is registered; else `invalid_argument`,
    /// `error::watcher_closed`, `error::forked` or `error::loop_closed`, the handler is destroyed
    /// and an earlier one stays. What the wait meets later, the handler is told.
    ///
    /// @throws `std::bad_alloc`, and what else async_wait() throws.
    template <class Handler>
    void add_child_handler(pid_type pid, Handler&& handler, error_code& ec);

    /// Takes a handler away, and destroys it.
    ///
    /// Works on a closed watcher, and in a forked child, too: what is on its way there does not run.
    ///
    /// @return True where there was one: it will never run, even if it was queued already. The
    /// child stays waitable; where it was reaped already, its exit is kept, in bounded number, for
    /// the next registration, by watchers that reap through Loops. False where there was none.
    bool remove_child_handler(pid_type pid);

    /// Attaches the watcher to a loop, which from now on delivers the waits whose handlers have no
    /// executor of their own; what is pending moves there. Exits that happened while the watcher
    /// was detached are delivered now.
    ///
    /// A wait that cannot move, because the system refuses what it needs, ends there with that
    /// error. The loop may be destroyed before the watcher: what is pending on it goes with it, and
    /// the watcher is detached then.
    ///
    /// @throws system_error with `error::watcher_closed`, `error::forked`, `error::loop_closed`, or
    /// `operation_not_supported` by a watcher that cannot be attached.
    void attach_loop(asio::io_context& loop);

    /// The same, with the error in `ec`.
    void attach_loop(asio::io_context& loop, error_code& ec);

    /// Detaches the watcher. What is pending on its loop is kept until it is attached again; that
    /// there is such a thing is said through the log hook. What has an executor of its own goes on.
    ///
    /// @throws system_error with `error::watcher_closed`, `error::forked`, or
    /// `operation_not_supported` by a watcher that cannot be attached.
    void attach_loop(std::nullptr_t);

    /// The same, with the error in `ec`.
    void attach_loop(std::nullptr_t, error_code& ec);

    /// Whether a registration made now will be delivered: the watcher is open, and attached or of
    /// a kind that needs no attachment and was not detached. False after close(), in a forked
    /// child, and after the death of the loop it was attached to. Whether a loop runs is not looked
    /// at.
    bool is_active() const;

    /// Closes the watcher. Every pending wait completes with `operation_aborted`, on its executor;
    /// children stay waitable. Registrations from now on give `error::watcher_closed`. Twice is
    /// nothing. It does not block, and waits for no handler.
    void close();

    /// The same, with an error of the watcher's own do_close() in `ec`.
    void close(error_code& ec);

protected:
    child_watcher();

    /// Starts a wait; `pid` is greater than 0. It ends by `handler` being completed once, on any
    /// thread, through the executor that the class promises, not before this function has returned.
    virtual void do_async_wait(pid_type pid, wait_handler handler) = 0;

    /// Starts a wait for a change of state, as do_async_wait() does. In place of an exit the handler
    /// is completed with a value whose native status is as `waitpid` with `WUNTRACED` and
    /// `WCONTINUED` gives it. By default it is completed with `operation_not_supported`.
    virtual void do_async_wait_state(pid_type pid, wait_handler handler);

    /// Starts a wait on behalf of add_child_handler(); by default one like any other. It may take
    /// the place of those with a smaller `id` for the same `pid`: their completions reach nobody
    /// any more. `ec` reports why there can be none: `handler` is then destroyed uncalled.
    virtual void do_add_handler(pid_type pid, handler_id id, wait_handler handler, error_code& ec);

    /// Ends a wait of do_add_handler() by destroying its handler uncalled; nothing where it has
    /// ended. By default nothing: what arrives for it reaches nobody.
    virtual void do_remove_handler(pid_type pid, handler_id id);

    /// Attaches, or detaches where `loop` is null. By default `operation_not_supported`.
    virtual void do_attach(asio::io_context* loop);

    /// As is_active(). By default true until closed.
    virtual bool do_is_active() const;

    /// Ends what is pending with `operation_aborted`. Called once.
    virtual void do_close();

private:
    friend class detail::registry_watcher;

    // Throws where there can be no child of that number.
    void check_pid(pid_type pid) const;

    error_code why_unusable() const;
    void start_wait(pid_type pid, wait_handler handler);
    void start_state_wait(pid_type pid, wait_handler handler);
    void start_handler(
        pid_type pid, handler_id id, wait_handler handler, wait_handler completion, error_code& ec);
    [[noreturn]] void throw_unregistered(pid_type pid, const error_code& ec) const;

    const std::shared_ptr<detail::handler_table> handlers_;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/child_watcher.hpp>

#endif
