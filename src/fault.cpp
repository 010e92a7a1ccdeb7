// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/fault.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

std::atomic<fault_function> fault_hook{nullptr};
std::atomic<fake_children*> children_hook{nullptr};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
