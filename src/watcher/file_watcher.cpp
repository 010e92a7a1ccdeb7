// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/file_watcher.hpp>

#include "platform/file_notices.hpp"
#include "watcher/file_waits.hpp"

#include <boost/system/errc.hpp>

#include <ostream>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

std::ostream& operator<<(std::ostream& to, file_changes what)
{
    constexpr std::pair<file_changes, const char*> names[] = {{file_changes::created, "created"},
        {file_changes::modified, "modified"}, {file_changes::written, "written"},
        {file_changes::attributes, "attributes"}, {file_changes::removed, "removed"},
        {file_changes::renamed, "renamed"}, {file_changes::overflow, "overflow"},
        {file_changes::unwatched, "unwatched"}};
    const char* separator = "";
    for (const auto& [each, name] : names)
    {
        if ((what & each) == file_changes::none)
            continue;
        to << separator << name;
        separator = "|";
    }
    return what == file_changes::none ? to << "none" : to;
}

file_watcher::file_watcher() : attached_watcher(detail::file_waits::make()) {}

file_watcher::file_watcher(asio::io_context& loop) : file_watcher()
{
    attach_loop(loop);
}

detail::file_waits& file_watcher::own_waits() const noexcept
{
    return static_cast<detail::file_waits&>(waits());
}

void file_watcher::add(const std::filesystem::path& path, file_watch_options options)
{
    error_code ec;
    add(path, options, ec);
    if (!ec)
        return;
    std::string what = "watching " + path.string();
    if (options.recursive)
        what += " and its subdirectories";
    if (ec == boost::system::errc::no_space_on_device)
        what += "; raise " + platform::describe_watch_limit();
    detail::throw_error(ec, what);
}

void file_watcher::add(
    const std::filesystem::path& path, file_watch_options options, error_code& ec)
{
    own_waits().add_root(path, options, ec);
}

bool file_watcher::remove(const std::filesystem::path& path)
{
    return own_waits().remove_root(path);
}

std::vector<std::filesystem::path> file_watcher::roots() const
{
    return own_waits().roots();
}

void file_watcher::start_wait(wait_handler handler)
{
    own_waits().add(std::move(handler));
}

} // namespace LOOPS_ABI
} // namespace loops
