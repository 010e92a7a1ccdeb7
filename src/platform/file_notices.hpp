// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_FILE_NOTICES_HPP
#define LOOPS_SRC_PLATFORM_FILE_NOTICES_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

// What the system tells about directories: Linux by inotify.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

enum class file_notice_kind
{
    created,
    modified,
    written, // closed, having been open for writing
    attributes,
    removed,
    moved_from,
    moved_to,
    self_gone, // the directory itself was removed, moved or unmounted
    forgotten, // nothing more comes for this watch
    overflow   // notices were lost
};

struct file_notice
{
    int watch = -1;
    file_notice_kind kind = file_notice_kind::overflow;
    bool is_directory = false;
    std::uint32_t cookie = 0;   // the same of moved_from and moved_to
    std::string_view name = {}; // in the directory; valid during the call
};

/// Makes a descriptor, close-on-exec and non-blocking, that is readable when there are notices.
int make_notices(error_code& ec) noexcept;

/// Has notices come for a directory: for its entries, and for itself. The same directory has the same watch.
/// Without `follow`, a symbolic link is no directory.
int watch_directory(int notices, const char* path, bool follow, error_code& ec) noexcept;

void unwatch_directory(int notices, int watch) noexcept;

/// Gives what there is, up to some KiB, without waiting. False: there was nothing.
bool take_notices(int notices, const std::function<void(const file_notice&)>& give);

/// Whether there are any that were not given.
bool has_notices(int notices) noexcept;

/// How many watches a user may have: what raises it, and its value, for messages.
std::string describe_watch_limit();

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
