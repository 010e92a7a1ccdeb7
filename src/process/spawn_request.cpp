// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/spawn_request.hpp"

#include "platform/posix/descriptor.hpp"
#include "platform/spawn_error.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// A text that reaches the kernel whole.
bool is_whole(const std::string& text) noexcept
{
    return text.find('\0') == std::string::npos;
}

bool are_whole(const std::vector<std::string>& texts) noexcept
{
    return std::all_of(texts.begin(), texts.end(), is_whole);
}

bool is_valid(const command& what) noexcept
{
    const bool numbers = std::all_of(what.descriptors.begin(), what.descriptors.end(),
        [](const auto& each) { return each.first >= 0 && each.second >= command::null_device; });
    return numbers && is_whole(what.program) && are_whole(what.arguments) &&
           is_whole(what.directory) && is_whole(what.cgroup) &&
           (!what.environment || are_whole(*what.environment)) &&
           (!what.process_group || (*what.process_group >= 0 && !what.new_session));
}

void add_all(std::vector<const char*>& to, const std::vector<std::string>& texts)
{
    for (const std::string& each : texts)
        to.push_back(each.c_str());
    to.push_back(nullptr);
}

} // namespace

spawn_request::spawn_request(const command& what, error_code& ec)
{
    ec.clear();
    if (!is_valid(what))
        ec = make_error_code(boost::system::errc::invalid_argument);
    else if (what.program.empty())
        ec = platform::make_spawn_error(platform::spawn_call::lookup, ENOENT);
    if (ec)
        return;
    lay_out(what);
    if (!what.cgroup.empty())
        open_cgroup(what.cgroup, ec);
}

spawn_request::~spawn_request()
{
    platform::close_descriptor(plan_.cgroup);
}

void spawn_request::find_programs(const std::string& program)
{
    if (program.find('/') != std::string::npos)
    {
        found_.push_back(program);
        return;
    }
    const char* const path = std::getenv("PATH");
    const std::string folders = path != nullptr ? path : "/bin:/usr/bin"; // as execvp() has it
    for (std::size_t begin = 0; begin <= folders.size();)
    {
        const std::size_t end = std::min(folders.find(':', begin), folders.size());
        std::string file = folders.substr(begin, end - begin);
        file.append(file.empty() ? "./" : "/").append(program); // empty: where we are
        found_.push_back(std::move(file));
        begin = end + 1;
    }
}

void spawn_request::lay_out(const command& what)
{
    find_programs(what.program);
    add_all(programs_, found_);
    plan_.programs = programs_.data();
    arguments_.push_back(what.program.c_str());
    add_all(arguments_, what.arguments);
    plan_.arguments = arguments_.data();
    plan_.environment = environ;
    if (what.environment)
    {
        add_all(environment_, *what.environment);
        plan_.environment = environment_.data();
    }
    for (const auto& [number, from] : what.descriptors)
        descriptors_.push_back({number, from});
    plan_.descriptors = descriptors_.data();
    plan_.descriptor_count = descriptors_.size();
    if (!what.directory.empty())
        plan_.directory = what.directory.c_str();
    plan_.new_session = what.new_session;
    plan_.process_group = what.process_group.value_or(-1);
    for (const resource_limit& each : what.limits)
        limits_.push_back({each.resource, {each.soft, each.hard}});
    plan_.limits = limits_.data();
    plan_.limit_count = limits_.size();
    if (what.user)
    {
        user_ = {
            what.user->user, what.user->group, what.user->groups.data(), what.user->groups.size()};
        plan_.user = &user_;
    }
    plan_.umask = what.umask.value_or(-1);
    plan_.parent_death_signal = what.parent_death_signal;
}

void spawn_request::open_cgroup(const std::string& folder, error_code& ec)
{
    plan_.cgroup = ::open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
    if (plan_.cgroup < 0)
        ec = platform::make_spawn_error(platform::spawn_call::open, errno);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
