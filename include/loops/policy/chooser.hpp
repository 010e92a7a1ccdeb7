// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_CHOOSER_HPP
#define LOOPS_POLICY_CHOOSER_HPP

#include <loops/config.hpp>
#include <loops/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

/// What a chooser sees of a pool's loops.
class LOOPS_DECL pool_view
{
public:
    /// How many loops there are; at least 1.
    std::size_t size() const noexcept { return size_; }

    /// The load of a loop: the weights of its leases and its spawned tasks.
    /// @pre `index < size()`
    std::int64_t load(std::size_t index) const noexcept;

    /// @cond
    pool_view(const void* loops, std::size_t size) noexcept : loops_(loops), size_(size) {}
    /// @endcond

private:
    const void* loops_;
    std::size_t size_;
};

/// Chooses a pool's loop for new work. Called concurrently.
class LOOPS_DECL chooser
{
public:
    /// Gives the index of the loop for new work.
    using function = std::function<std::size_t(const pool_view& loops, const selection& what)>;

    /// Makes a chooser of a callable of the user's.
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
struct LOOPS_DECL round_robin_t
{
    operator chooser() const;
};
inline constexpr round_robin_t round_robin{};

/// Looks at all loops and takes the one with the least load, equal ones in turn. Load is counted
/// by leases and spawned tasks, so acquire() leases for what is to be balanced.
struct LOOPS_DECL least_loaded_t
{
    operator chooser() const;
};
inline constexpr least_loaded_t least_loaded{};

} // namespace LOOPS_ABI
} // namespace loops

#endif
