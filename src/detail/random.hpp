// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_RANDOM_HPP
#define LOOPS_SRC_DETAIL_RANDOM_HPP

#include <loops/config.hpp>

#include <cstddef>
#include <cstdint>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// SplitMix64: G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators",
// OOPSLA 2014; the mixing constants are D. Stafford's "Mix13". Any state is a good one, equal ones
// give equal numbers. Not for secrets.
inline std::uint64_t next_random(std::uint64_t& state) noexcept
{
    state += 0x9e3779b97f4a7c15U; // 2^64 by the golden ratio
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

// The next number of the calling thread; threads draw different ones.
std::uint64_t next_random() noexcept;

// Maps 32 random bits to [0, size) by a multiplication, which costs less than a division. Even to
// size / 2^32.
inline std::size_t scale(std::uint32_t random, std::size_t size) noexcept
{
    return static_cast<std::size_t>((std::uint64_t(random) * size) >> 32);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
