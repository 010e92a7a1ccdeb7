// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/file_notices.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"

#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

constexpr std::pair<std::uint32_t, file_notice_kind> translation[] = {
    {IN_CREATE, file_notice_kind::created}, {IN_MODIFY, file_notice_kind::modified},
    {IN_CLOSE_WRITE, file_notice_kind::written}, {IN_ATTRIB, file_notice_kind::attributes},
    {IN_DELETE, file_notice_kind::removed}, {IN_MOVED_FROM, file_notice_kind::moved_from},
    {IN_MOVED_TO, file_notice_kind::moved_to}, {IN_DELETE_SELF, file_notice_kind::self_gone},
    {IN_MOVE_SELF, file_notice_kind::self_gone}, {IN_UNMOUNT, file_notice_kind::self_gone},
    {IN_IGNORED, file_notice_kind::forgotten}, {IN_Q_OVERFLOW, file_notice_kind::overflow}};

constexpr std::uint32_t wanted = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE |
                                 IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
                                 IN_ONLYDIR | IN_EXCL_UNLINK;

std::optional<file_notice_kind> kind_of(std::uint32_t mask)
{
    for (const auto& [theirs, ours] : translation)
    {
        if ((mask & theirs) != 0)
            return ours;
    }
    return std::nullopt;
}

} // namespace

int make_notices(error_code& ec) noexcept
{
    ec.clear();
    const int fd = injected_fault("inotify_init1") ? -1 : ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        ec = last_error();
    return fd;
}

int watch_directory(int notices, const char* path, bool follow, error_code& ec) noexcept
{
    ec.clear();
    const std::uint32_t mask = wanted | (follow ? 0U : std::uint32_t(IN_DONT_FOLLOW));
    const int watch =
        injected_fault("inotify_add_watch") ? -1 : ::inotify_add_watch(notices, path, mask);
    if (watch < 0)
        ec = last_error();
    return watch;
}

void unwatch_directory(int notices, int watch) noexcept
{
    ::inotify_rm_watch(notices, watch);
}

bool take_notices(int notices, const std::function<void(const file_notice&)>& give)
{
    alignas(inotify_event) std::array<char, std::size_t(16) * 1024> room; // NOLINT: read() fills it
    const ssize_t size = ::read(notices, room.data(), room.size());
    if (size <= 0)
        return false;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);)
    {
        inotify_event head{};
        std::memcpy(&head, room.data() + at, sizeof head);
        const char* const name = room.data() + at + sizeof head;
        at += sizeof head + head.len;
        if (const auto kind = kind_of(head.mask))
            give({head.wd, *kind, (head.mask & IN_ISDIR) != 0, head.cookie,
                {name, ::strnlen(name, head.len)}});
    }
    return true;
}

bool has_notices(int notices) noexcept
{
    int bytes = 0;
    return ::ioctl(notices, FIONREAD, &bytes) != 0 || bytes > 0;
}

std::string describe_watch_limit()
{
    std::ifstream file("/proc/sys/fs/inotify/max_user_watches");
    std::string number;
    file >> number;
    return "the system's limit fs.inotify.max_user_watches, which is " +
           (number.empty() ? "unknown" : number) + " for all processes of a user together";
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
