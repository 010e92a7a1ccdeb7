// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_CHOOSER_HPP
#define LOOPS_POLICY_CHOOSER_HPP

#include <loops/config.hpp>
#include <loops/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class cpu_table;
class loop_record;
} // namespace detail

/// What a chooser sees of a pool's loops. Good for the call that it is given to, and no longer.
///
/// Loads change while they are looked at: they are statistics of a moment ago, each by itself.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe.
/// @par Complexity
/// Each member takes constant time, however many loops there are, no lock, and no memory.
class LOOPS_DECL pool_view
{
public:
    /// How many loops there are; at least 1.
    std::size_t size() const noexcept { return size_; }

    /// The load of a loop: the weights of its leases and its spawned tasks.
    /// @pre `index < size()`
    std::int64_t load(std::size_t index) const noexcept;

    /// The part of the load that is leases: the sum of their weights.
    /// @pre `index < size()`
    std::int64_t leases(std::size_t index) const noexcept;

    /// The part of the load that is tasks: how many were spawned and have not ended.
    /// @pre `index < size()`
    std::int64_t tasks(std::size_t index) const noexcept;

    /// The pool's loop that the calling thread is inside of; none outside of the pool. Where the
    /// thread runs another loop inside of a handler of the pool's, still the pool's.
    std::optional<std::size_t> running() const noexcept;

    /// The CPU to which a loop's thread is bound; none where it is bound to none.
    /// @pre `index < size()`
    std::optional<unsigned> cpu(std::size_t index) const noexcept;

    /// How many loops have their threads bound to `cpu`; 0 for a CPU that there is not.
    std::size_t count_on(unsigned cpu) const noexcept;

    /// The index of one of the loops whose threads are bound to `cpu`.
    /// @param cpu The CPU.
    /// @param which The first such loop is 0.
    /// @pre `which < count_on(cpu)`
    std::size_t on(unsigned cpu, std::size_t which) const noexcept;

    /// @cond
    pool_view(const std::shared_ptr<detail::loop_record>* loops, std::size_t size,
        const detail::cpu_table* cpus) noexcept
        : loops_(loops), size_(size), cpus_(cpus)
    {}
    /// @endcond

private:
    const std::shared_ptr<detail::loop_record>* loops_;
    std::size_t size_;
    const detail::cpu_table* cpus_;
};

/// Chooses a pool's loop for new work.
///
/// One of those below, or a callable of the user's that looks at the loops and at what is known of
/// the work, and gives an index:
///
/// @code
/// loops::pool_policy pool(4, [](const loops::pool_view& loops, const loops::selection& what) {
///     // Loop 0 is for what has no key.
///     return what.key ? 1 + *what.key % (loops.size() - 1) : 0;
/// });
/// @endcode
///
/// An index that is no open loop's of the pool makes the selection fail with `invalid_argument` and
/// a text that names chooser and index; what the callable throws passes through. Either way nothing
/// has changed.
///
/// Copies of a chooser share their state: pools with copies of one `round_robin` deal from one
/// deck, a fresh conversion makes a new deck. None of Loops' own takes a lock or memory to choose.
///
/// @par Thread safety
/// A pool calls its chooser from every thread that selects, concurrently: a callable of the user's
/// has to be safe for that.
class LOOPS_DECL chooser
{
public:
    /// Gives the index of the loop for new work.
    using function = std::function<std::size_t(const pool_view& loops, const selection& what)>;

    /// Makes a chooser of a callable of the user's. A null function makes an empty one, which no
    /// pool takes.
    template <class F, std::enable_if_t<std::is_invocable_r_v<std::size_t, F&, const pool_view&,
                                            const selection&> &&
                                            !std::is_same_v<std::decay_t<F>, chooser>,
                           int> = 0>
    chooser(F&& choose) : chooser("callable", std::forward<F>(choose))
    {}

    /// The same, with a name for messages.
    chooser(std::string name, function choose);

    /// The name of the chooser.
    const std::string& name() const noexcept { return name_; }

    /// Whether there is something to call.
    explicit operator bool() const noexcept { return static_cast<bool>(choose_); }

    /// Gives the index of the loop for new work.
    std::size_t operator()(const pool_view& loops, const selection& what) const
    {
        return choose_(loops, what);
    }

private:
    std::string name_;
    function choose_;
};

/// Deals work to one loop after the other. Equal counts are not equal load: where connections
/// differ much in their work, go by load.
///
/// @par Complexity
/// Constant. All threads that select write to one counter.
struct LOOPS_DECL round_robin_t
{
    /// Makes the chooser.
    operator chooser() const;
};
/// See round_robin_t.
inline constexpr round_robin_t round_robin{};

/// Looks at all loops and takes the one with the least load, equal ones in turn. Load is counted
/// by leases and spawned tasks, so acquire() leases for what is to be balanced.
///
/// @par Complexity
/// Linear in the number of loops, unless it meets one without load. Threads that select at the same
/// moment all take the same loop; two_choices does neither.
struct LOOPS_DECL least_loaded_t
{
    /// Makes the chooser.
    operator chooser() const;
};
/// See least_loaded_t.
inline constexpr least_loaded_t least_loaded{};

/// Takes the less loaded of two loops picked at random.
///
/// That is nearly as even as the least loaded of all (M. Mitzenmacher, "The Power of Two Choices in
/// Randomized Load Balancing", 2001), and threads that select at the same moment do not all take the
/// same loop. Load is counted as for least_loaded; without any, it is a choice at random.
///
/// @par Complexity
/// Constant. The random numbers are the thread's own: threads that select share nothing that is
/// written.
struct LOOPS_DECL two_choices_t
{
    /// Makes the chooser.
    operator chooser() const;
};
/// See two_choices_t.
inline constexpr two_choices_t two_choices{};

/// Gives equal keys the same loop, and different ones loops at random.
///
/// The loop follows from selection::key and the number of loops alone: it is the same in every
/// pool of that size and in every run of the program. A pool with one loop more has 1/(n+1) of the
/// keys on the new loop and all others where they were; one with a loop less spreads the keys of the
/// last over the rest. Keys need not be hashed well, but have to be different where they are to be
/// spread. A few keys with most of the work make a few loops busy: no load is looked at.
///
/// Work without a key belongs with nothing: it goes where two_choices would send it.
///
/// @par Complexity
/// About `ln(n)` steps, 8 of them for 1000 loops. No state.
struct LOOPS_DECL by_key_t
{
    /// Makes the chooser.
    operator chooser() const;
};
/// See by_key_t.
inline constexpr by_key_t by_key{};

/// Keeps work on the CPU on which it arrived: takes the loop whose thread is bound to
/// selection::cpu, so that a packet, its socket and its handler share a cache.
///
/// - Where several loops' threads are bound to that CPU: the less loaded of two of them.
/// - Where none is, as in a pool without pinning: the CPU's number modulo the number of loops, which
///   is the same loop each time, and an even spread where all CPUs receive.
/// - Where the selection has no CPU: as two_choices.
///
/// placing_acceptor asks the connection for its CPU (`getsockopt`, `SO_INCOMING_CPU`); bind the threads
/// by pool_options::pin. A network card that interrupts few CPUs keeps few loops busy: no load of loops
/// on different CPUs is compared.
///
/// @par Complexity
/// Constant.
struct LOOPS_DECL by_cpu_t
{
    /// Makes the chooser.
    operator chooser() const;
};
/// See by_cpu_t.
inline constexpr by_cpu_t by_cpu{};

/// How prefer_current() weighs staying against going.
struct prefer_current_options
{
    /// How much less load another loop must have for new work to go there; at least 0.
    ///
    /// Going costs a hop. Staying costs the wait for what is ahead: where everybody has something to
    /// do, for one handler of each session more. Between loops that sleep, a hop there and back was
    /// measured at 35 to 70 us; loops of their own begin to win over one shared loop at 1 to 5 us a
    /// handler. Hence 16: as many handlers of 3 us take as long as the hop.
    ///
    /// With handlers of t us, and leases of weight 1, about 50 / t is right; where the loops rarely
    /// sleep, a hundredth of that, and two_choices may do. Leases of other weights scale it.
    std::int64_t margin = 16;
};

/// Makes a chooser that stays on the pool's loop that the calling thread is inside of, unless
/// another has less load by more than a margin; work that stays needs no hop between threads.
///
/// It compares with two others, picked at random, and goes to the less loaded one. Outside of the
/// pool's threads, it is two_choices. Load is counted as for least_loaded: without leases and tasks
/// nothing ever leaves, for which a server that accepts on one loop has no use.
///
/// @param options See there.
/// @throws system_error with `invalid_argument` for a negative margin.
/// @par Complexity
/// Constant. Up to a load of the margin, it looks at its own loop only.
LOOPS_DECL chooser prefer_current(prefer_current_options options = {});

} // namespace LOOPS_ABI
} // namespace loops

#endif
