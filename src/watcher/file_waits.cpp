// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "watcher/file_waits.hpp"

#include "platform/file_notices.hpp"

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

std::shared_ptr<file_waits> file_waits::make()
{
    error_code ec;
    const int notices = platform::make_notices(ec);
    if (ec)
        throw_error(ec, "making a watcher of files: inotify_init1; the system's limits are "
                        "fs.inotify.max_user_instances and the number of descriptors");
    return attached_waits::make<file_waits>(notices);
}

file_waits::file_waits(int notices) : event_waits(notices), tree_(notices) {}

void file_waits::add_root(
    const std::filesystem::path& path, file_watch_options options, error_code& ec)
{
    error_code refused;
    change(ec, [&] { tree_.add(path, options, refused); });
    if (!ec)
        ec = refused;
}

bool file_waits::remove_root(const std::filesystem::path& path)
{
    bool found = false;
    error_code unusable;
    change(unusable, [&] { found = tree_.remove(path); });
    return found;
}

std::vector<std::filesystem::path> file_waits::roots() const
{
    return read([this] { return tree_.roots(); });
}

void file_waits::look(std::size_t enough)
{
    tree_.read(enough);
}

std::optional<file_event> file_waits::take()
{
    return tree_.take();
}

std::optional<loop_clock::time_point> file_waits::next_look() const
{
    return tree_.patience_ends();
}

void file_waits::clear() noexcept
{
    tree_.clear();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
