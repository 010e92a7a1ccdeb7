// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "watcher/file_tree.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

namespace fs = std::filesystem;
namespace errc = boost::system::errc;

// It was removed, or is another thing now: a notice about that is on its way.
bool is_gone(const error_code& ec)
{
    return ec == errc::no_such_file_or_directory || ec == errc::not_a_directory ||
           ec == errc::too_many_symbolic_link_levels;
}

// No watch is to be had, of that directory and of any other.
bool is_shortage(const error_code& ec)
{
    return ec == errc::no_space_on_device || ec == errc::not_enough_memory;
}

} // namespace

file_tree::~file_tree() = default;

fs::path file_tree::below(const directory& in) const
{
    fs::path path;
    for (const directory* each = &in; each != nullptr; each = each->parent)
    {
        if (!each->name.empty())
            path = path.empty() ? fs::path(each->name) : each->name / path;
    }
    return path;
}

fs::path file_tree::place_of(const directory& in) const
{
    const fs::path rest = below(in);
    return rest.empty() ? in.of->place : in.of->place / rest;
}

// What users are told.
fs::path file_tree::path_of(const directory& in, std::string_view name) const
{
    fs::path path = in.of->given;
    if (!in.of->file.empty())
        return path;
    const fs::path rest = below(in);
    if (!rest.empty())
        path /= rest;
    if (!name.empty())
        path /= name;
    return path;
}

file_tree::root_list::iterator file_tree::find(const fs::path& path)
{
    return std::find_if(roots_.begin(), roots_.end(),
        [&](const auto& each) { return each && each->given == path; });
}

std::vector<fs::path> file_tree::roots() const
{
    std::vector<fs::path> all;
    for (const auto& each : roots_)
        all.push_back(each->given);
    return all;
}

void file_tree::add(const fs::path& path, file_watch_options options, error_code& ec)
{
    const std::size_t events = events_.size();
    auto fresh = make(path, options, ec);
    if (!fresh)
        return;
    try
    {
        watch(*fresh->top, true, ec);
        if (!ec && options.recursive)
            ec = enter_all(*fresh->top, false);
        if (!ec)
            roots_.emplace_back();
    }
    catch (...)
    {
        end(*fresh);
        throw;
    }
    if (ec)
    {
        end(*fresh);
        events_.resize(events);
        return;
    }
    const auto before = find(path);
    if (before != roots_.end())
    {
        end(**before);
        *before = std::move(fresh);
        roots_.pop_back();
    }
    else
    {
        roots_.back() = std::move(fresh);
    }
}

// A root that is not watched yet.
std::unique_ptr<file_tree::root> file_tree::make(
    const fs::path& path, file_watch_options options, error_code& ec) const
{
    ec.clear();
    std::error_code system;
    auto made = std::make_unique<root>();
    made->given = path;
    made->options = options;
    made->place = fs::absolute(path, system);
    made->top = std::make_unique<directory>();
    made->top->of = made.get();
    if (!path.empty() && fs::is_directory(made->place, system))
        return made;
    made->file = path.filename().string();
    made->place = made->place.parent_path();
    if (!made->file.empty() && !options.recursive)
        return made;
    const bool exists = !made->file.empty() && fs::exists(made->place / made->file, system);
    ec = make_error_code(exists ? errc::not_a_directory : errc::no_such_file_or_directory);
    if (system == std::errc::permission_denied)
        ec = make_error_code(errc::permission_denied);
    return nullptr;
}

bool file_tree::remove(const fs::path& path)
{
    read(std::numeric_limits<std::size_t>::max()); // what has happened is told
    const auto found = find(path);
    if (found == roots_.end())
        return false;
    end(**found);
    roots_.erase(found);
    return true;
}

void file_tree::clear() noexcept
{
    for (const auto& each : roots_)
        end(*each);
    roots_.clear();
    events_.clear();
}

// Its directories are watched no more. What is known to have happened is told.
void file_tree::end(root& it) noexcept
{
    unwatch(*it.top);
    for (entry& each : events_)
    {
        if (each.of != &it)
            continue;
        if (each.half && !wants(it, file_changes::removed))
            each.event.what = file_changes::none;
        each.of = nullptr;
        if (each.moved)
            unwatch(*each.moved);
        each.moved.reset();
    }
}

void file_tree::watch(directory& it, bool follow, error_code& ec)
{
    const int number = platform::watch_directory(notices_, place_of(it).c_str(), follow, ec);
    if (ec)
        return;
    it.watch = number;
    by_watch_.emplace(number, &it);
}

// With what is below it.
void file_tree::unwatch(directory& it) noexcept
{
    for (auto& [name, child] : it.children)
        unwatch(*child);
    const int number = it.watch;
    forget(it);
    with_found_.erase(&it);
    if (number >= 0 && by_watch_.find(number) == by_watch_.end())
        platform::unwatch_directory(notices_, number);
}

void file_tree::forget(directory& it) noexcept
{
    const auto [begin, end] = by_watch_.equal_range(it.watch);
    const auto found =
        std::find_if(begin, end, [&](const auto& each) { return each.second == &it; });
    if (found != end)
        by_watch_.erase(found);
    it.watch = -1;
}

// Watches a directory below another one, and what is in it. It is watched before it is looked at, so that nothing is
// missed. An error is one that others will have as well, or that leaves it unknown what is in it: the caller is to tell.
error_code file_tree::enter(directory& parent, const std::string& name, bool tell)
{
    auto& place = parent.children[name];
    auto fresh = std::make_unique<directory>();
    fresh->of = parent.of;
    fresh->parent = &parent;
    fresh->name = name;
    error_code ec;
    watch(*fresh, false, ec);
    if (!ec && place && place->watch == fresh->watch)
    {
        forget(*fresh);
        return tell ? error_code() : enter_all(*place, tell);
    }
    if (is_gone(ec) && place)
        return {}; // one that has moved on: what was done in it in between is told
    if (place)
        unwatch(*place);
    if (ec)
    {
        parent.children.erase(name);
        if (is_shortage(ec))
            return ec;
        if (!is_gone(ec))
            tell_unwatched(parent, name, ec);
        return {};
    }
    place = std::move(fresh);
    return enter_all(*place, tell);
}

// What is in it, and below it where that is watched, too. An error is as that of enter().
error_code file_tree::enter_all(directory& it, bool tell_them)
{
    std::set<std::string, std::less<>> folders;
    std::error_code system;
    for (fs::directory_iterator each(place_of(it), system), end; !system && each != end;
         each.increment(system))
    {
        const std::string name = each->path().filename().string();
        std::error_code gone;
        const bool is_directory = fs::is_directory(each->symlink_status(gone));
        if (is_directory && it.of->options.recursive)
            folders.insert(name);
        if (!tell_them || !it.found.insert(name).second)
            continue;
        with_found_.insert(&it);
        tell(*it.of, file_changes::created, path_of(it, name), is_directory);
    }
    const error_code unread(system.value(), boost::system::system_category());
    if (system && !is_gone(unread))
        return unread;
    for (auto child = it.children.begin(); child != it.children.end();)
    {
        const auto present = child++;
        if (folders.count(present->first) != 0)
            continue;
        unwatch(*present->second);
        it.children.erase(present);
    }
    for (const std::string& name : folders)
    {
        const error_code ec = enter(it, name, tell_them);
        if (ec && !tell_them)
            return ec;
        if (ec)
            tell_unwatched(it, name, ec);
    }
    return {};
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
