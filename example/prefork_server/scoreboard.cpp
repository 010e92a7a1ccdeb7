// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "scoreboard.hpp"

#include <algorithm>
#include <new>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace prefork {

std::int64_t monotonic_ms() noexcept
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

void scoreboard::set_watcher(std::string_view name) noexcept
{
    const std::size_t length = std::min(name.size(), watcher.size() - 1);
    std::copy_n(name.begin(), length, watcher.begin());
    watcher[length] = '\0';
}

bool scoreboard::is_ahead(unsigned index) const noexcept
{
    constexpr std::int64_t slack = 2;
    const std::int64_t own = rows[index].now().connections;
    for (unsigned other = 0; other != workers; ++other)
    {
        const worker_slot& it = rows[other].now();
        if (other != index && it.pid != 0 && it.connections + slack < own)
            return true;
    }
    return false;
}

shared_scoreboard::shared_scoreboard() : fd_(::memfd_create("prefork_server", MFD_CLOEXEC))
{
    if (fd_.get() < 0 || ::ftruncate(fd_.get(), sizeof(scoreboard)) != 0)
        throw_errno("making the page that is shared with the workers");
    map();
    ::new (static_cast<void*>(page_)) scoreboard{};
}

shared_scoreboard::shared_scoreboard(descriptor inherited) : fd_(std::move(inherited))
{
    struct stat found = {};
    if (::fstat(fd_.get(), &found) != 0 || found.st_size != sizeof(scoreboard))
        throw_errno("inheriting the page that is shared with the master", EBADF);
    map();
}

shared_scoreboard::~shared_scoreboard()
{
    ::munmap(page_, sizeof(scoreboard));
}

void shared_scoreboard::map()
{
    void* const at =
        ::mmap(nullptr, sizeof(scoreboard), PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (at == MAP_FAILED)
        throw_errno("mapping the page that master and workers share");
    page_ = static_cast<scoreboard*>(at);
}

} // namespace prefork
