// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_KEYED_POLICY_HPP
#define LOOPS_POLICY_KEYED_POLICY_HPP

#include <loops/detail/keyed.hpp>
#include <loops/policy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

/// Gives the calling thread a key, for every keyed_policy of that type of keys, until it ends.
///
/// Scopes nest; the innermost one of a type counts. They belong on the stack of one thread. A loop
/// that a policy gave for the key of a scope is not dropped for idleness before the scope ends.
///
/// @code
/// const loops::key_scope tenant(std::string("acme"));
/// asio::io_context& loop = policy->get_event_loop(); // acme's
/// @endcode
template <class Key>
class key_scope
{
public:
    /// Enters the scope.
    explicit key_scope(Key key) : key_(std::move(key)), node_(typeid(Key), &key_) {}

    key_scope(const key_scope&) = delete;
    key_scope& operator=(const key_scope&) = delete;

    /// The scope's key.
    const Key& key() const noexcept { return key_; }

private:
    const Key key_;
    const detail::key_scope_node node_;
};

/// Who runs the loops of a keyed_policy.
enum class run_by
{
    /// Whoever calls: `run_loop()`, `event_loop::run()`, or the policy's `run()`, which runs the loop
    /// of the calling context.
    caller,
    /// The policy: a thread for each key.
    policy,
};

/// How a keyed_policy is to be.
struct keyed_options
{
    /// Who runs the loops.
    loops::run_by run_by = loops::run_by::caller;
    /// Whether a key's loop is made at the first need. Else loops are set, and a key without one is
    /// an error; for keys that come from outside, and must not cost a loop each.
    bool on_demand = true;
    /// After which time a loop that is idle is closed and its key forgotten; 0: never. See
    /// keyed_policy for what keeps a loop.
    std::chrono::nanoseconds drop_idle_after{0};
    /// Loops are called `name-KEY`, where keys can be printed, else `name-0`, `name-1` and so on;
    /// their threads, which run_by::policy has, as much of that as the system takes.
    std::string name = "keyed";
};

/// What keyed_policy is but for its keys; use that.
class LOOPS_DECL keyed_policy_base : public event_loop_policy
{
public:
    ~keyed_policy_base() override;

    std::string name() const override;

    /// Gives the loop of the calling context's key.
    ///
    /// On a thread that the policy runs, outside of a key_scope: the running loop.
    /// @throws system_error with `error::no_current_event_loop` where the context has no key, or the
    /// key has no loop and none is made; with `error::policy_closed`.
    asio::io_context& get_event_loop() override;
    asio::io_context* existing_event_loop() noexcept override;

    /// Sets the loop of the calling context's key. The loop that the policy made for it, if there is
    /// one, stays until the key is dropped.
    /// @throws system_error with `error::no_current_event_loop` where the context has no key; with
    /// `operation_not_supported` on a thread that the policy runs, outside of a key_scope; with
    /// `error::loop_closed`.
    void set_event_loop(asio::io_context* loop) override;

    /// Chooses a loop for new work: that of selection::key, where a key can be made of a 64-bit
    /// number (an aggregate cannot); else that of a key_scope which was entered inside of the present
    /// run; else the running loop; else the current one.
    /// @throws As get_event_loop(); with `invalid_argument` for a number that is out of the range of
    /// the keys; where the policy runs its loops, with `error::policy_closed` from a stop, a drain or
    /// an exception that stopped it until the next start.
    asio::io_context& select_event_loop(const selection& what = {}) override;

    /// Visits the loops of all keys, those that were set included, and that of the calling context's
    /// key, if it has one, which may be made now.
    void for_each_loop(const std::function<void(asio::io_context&)>& visit) override;

    /// Starts the threads of the loops anew where a stop or drain has ended them.
    void start() override;

    /// @throws As event_loop_policy::close(); with `error::already_running` as well where the drop of
    /// an idle loop destroys what calls this.
    void close() override;

    /// How many keys the policy knows: those that have a loop, and those that lost one.
    std::size_t size() const;

protected:
    /// @cond
    keyed_policy_base(std::unique_ptr<detail::key_type> type, keyed_options options);

    asio::io_context& loop_of(const void* key);
    bool drop_key(const void* key);
    /// @endcond

    /// Waits until the policy is stopped or drained, also while it has no loops.
    void run_started(std::uint64_t since) override;

private:
    struct impl;
    struct question;

    void check_started(const char* attempted) const;
    asio::io_context& find_or_make(const question& of);
    std::unique_ptr<event_loop> make_loop_of(const question& of);
    asio::io_context* in_context(const std::function<asio::io_context*(const question&)>& with);

    std::unique_ptr<impl> impl_;
};

/// One loop for each value of the user's own context of use: a tenant, a session, a shard, a request.
///
/// The key of the calling context is that of the innermost key_scope on the thread; else, on a
/// thread that the policy runs, that of the running loop; else what the `context_of` function gives.
///
/// With keyed_options::drop_idle_after a loop which the policy made is closed, and its key forgotten,
/// once it has been idle for that time. It is never dropped while
/// - a lease on it is held,
/// - a key_scope lives in which the policy gave it,
/// - a caller runs it,
/// - it has work: handlers, operations under way, tasks,
/// - or it was given by this policy less than that time ago.
///
/// So a reference from get_event_loop() is good for that time, and longer under any of the others; a
/// timer or socket that waits for nothing is not work, and needs a lease beside it. acquire() and
/// key_scope leave no gap between the answer and the holding.
///
/// @tparam Key Copyable. Where it can be printed, by `<<`, messages and loop names show it.
/// @tparam Hash, Equal As for `std::unordered_map`. They are called with a lock held: they must not
/// use Loops, nor wait for what does.
///
/// @par Thread safety
/// As event_loop_policy.
/// @par Complexity
/// Finding a key's loop takes constant time on average, and a lock; inside of a loop's run
/// `loops::get_event_loop()` takes none.
template <class Key, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>>
class LOOPS_VISIBLE keyed_policy : public keyed_policy_base
{
public:
    /// Tells the key of the calling context; nothing where it has none. Called from many threads.
    using context_function = std::function<std::optional<Key>()>;

    /// Makes a policy.
    /// @param context_of What to ask outside of key_scopes; empty: key_scopes only.
    /// @param options See there.
    /// @throws system_error with `invalid_argument` for a negative keyed_options::drop_idle_after.
    explicit keyed_policy(context_function context_of = {}, keyed_options options = {},
        Hash hash = Hash(), Equal equal = Equal());

    /// The same, by key_scopes only.
    explicit keyed_policy(keyed_options options) : keyed_policy({}, std::move(options)) {}

    using keyed_policy_base::get_event_loop;

    /// Gives the loop of a key, whatever the calling context is.
    /// @throws As get_event_loop().
    asio::io_context& get_event_loop(const Key& key) { return loop_of(&key); }

    /// Forgets a key: closes the loop that the policy made for it, destroying handlers that wait
    /// there unrun, after its thread has ended; a loop that was set there is left to its owner. The
    /// next need makes a fresh one.
    ///
    /// Leases on the loop then give `error::loop_closed`. Two threads of the policy that drop each
    /// other's keys at the same time wait for ever.
    ///
    /// @return Whether the policy knew the key.
    /// @throws system_error with `error::already_running` from inside of the loop, or where a caller
    /// runs it; everything is then as before.
    bool drop(const Key& key) { return drop_key(&key); }

protected:
    /// @cond
    keyed_policy(keyed_options options, std::unique_ptr<detail::key_type> type)
        : keyed_policy_base(std::move(type), std::move(options))
    {}
    /// @endcond
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/keyed_policy.hpp>

#endif
