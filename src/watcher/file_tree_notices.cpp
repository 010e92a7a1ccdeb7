// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What the system's notices mean.

#include "watcher/file_tree.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

namespace fs = std::filesystem;
using platform::file_notice;
using platform::file_notice_kind;

namespace {

// Between the system's two notices of a move there are no more than a few instructions of another thread.
constexpr auto patience = std::chrono::milliseconds(10);

} // namespace

std::optional<loop_clock::time_point> file_tree::patience_ends() const
{
    if (events_.empty() || !events_.front().half)
        return std::nullopt;
    return events_.front().since + patience;
}

std::optional<file_event> file_tree::take()
{
    while (!events_.empty() && !events_.front().half)
    {
        file_event event = std::move(events_.front().event);
        events_.pop_front();
        if (event.what != file_changes::none)
            return event;
    }
    return std::nullopt;
}

void file_tree::read(std::size_t enough)
{
    // As many as the system keeps by default are some hundred KiB; who writes faster has others wait no longer.
    constexpr int most_reads = 64;
    bool is_more = true;
    for (int reads = 0;
         is_more && reads != most_reads && (events_.size() < enough || patience_ends()); ++reads)
    {
        is_more = platform::take_notices(
            notices_, [this](const file_notice& notice) { on_notice(notice); });
        end_old_halves();
    }
    if (!is_more || (!with_found_.empty() && !platform::has_notices(notices_)))
        forget_found();
}

// All that had happened when a directory was looked at has been told.
void file_tree::forget_found() noexcept
{
    for (directory* const each : with_found_)
        each->found.clear();
    with_found_.clear();
}

void file_tree::end_old_halves()
{
    const auto since = loop_clock::now() - patience;
    end_halves([&](const entry& each) { return each.since <= since; });
}

void file_tree::on_notice(const file_notice& notice)
{
    told_.clear();
    amid_ = nullptr;
    if (notice.kind == file_notice_kind::overflow)
        return on_overflow();
    const auto [begin, end] = by_watch_.equal_range(notice.watch);
    std::vector<directory*> all;
    std::transform(
        begin, end, std::back_inserter(all), [](const auto& each) { return each.second; });
    // Of several roots first the one that it has moved in, so that no other one takes that for it.
    if (notice.kind == file_notice_kind::moved_to)
        std::stable_partition(all.begin(), all.end(), [&](const directory* each) {
            const entry* const half = half_of(notice.cookie, each->of);
            return half != nullptr && half->of == each->of;
        });
    for (directory* const each : all)
    {
        // What was done for one may have ended another.
        const auto [first, last] = by_watch_.equal_range(notice.watch);
        if (std::any_of(first, last, [&](const auto& one) { return one.second == each; }))
            on_notice(*each, notice);
    }
    if (notice.kind == file_notice_kind::moved_to) // by then it is known where it is
        end_halves([&](const entry& each) { return each.event.cookie == notice.cookie; });
}

void file_tree::on_notice(directory& in, const file_notice& notice)
{
    const bool is_top = in.of->top.get() == &in;
    const directory* highest = &in;
    while (highest->parent != nullptr)
        highest = highest->parent;
    amid_ = highest == in.of->top.get() ? nullptr : highest;
    if (notice.kind == file_notice_kind::self_gone || notice.kind == file_notice_kind::forgotten)
    {
        if (is_top)
            on_self(in);
        else if (notice.kind == file_notice_kind::forgotten)
            forget(in); // its parent is told that it is gone
        return;
    }
    const std::string& file = in.of->file;
    if (file.empty() ? notice.name.empty() && !is_top : notice.name != file)
        return;
    const auto just = [&](file_changes what) {
        tell(*in.of, what, path_of(in, notice.name), notice.is_directory);
    };
    switch (notice.kind)
    {
    case file_notice_kind::created: return on_created(in, notice);
    case file_notice_kind::removed: return on_removed(in, notice);
    case file_notice_kind::moved_from: return on_moved_from(in, notice);
    case file_notice_kind::moved_to: return on_moved_to(in, notice);
    case file_notice_kind::modified: return just(file_changes::modified);
    case file_notice_kind::written: return just(file_changes::written);
    case file_notice_kind::attributes: return just(file_changes::attributes);
    default: return;
    }
}

// The root is over.
void file_tree::on_self(directory& it)
{
    const auto over = find(it.of->given);
    tell(**over, file_changes::removed, (*over)->given, (*over)->file.empty());
    end(**over);
    roots_.erase(over);
}

void file_tree::on_created(directory& in, const file_notice& notice)
{
    const std::string name(notice.name);
    if (in.found.erase(name) == 0)
        tell(*in.of, file_changes::created, path_of(in, name), notice.is_directory);
    if (notice.is_directory)
        find_in(in, name, nullptr);
}

void file_tree::on_removed(directory& in, const file_notice& notice)
{
    in.found.erase(std::string(notice.name));
    const auto child = in.children.find(notice.name);
    if (child != in.children.end())
    {
        unwatch(*child->second);
        in.children.erase(child);
    }
    tell(*in.of, file_changes::removed, path_of(in, notice.name), notice.is_directory);
}

void file_tree::on_moved_from(directory& in, const file_notice& notice)
{
    in.found.erase(std::string(notice.name));
    fs::path path = path_of(in, notice.name);
    const bool is_wanted = wants(*in.of, file_changes::removed | file_changes::renamed);
    const auto what = is_wanted && !is_told(path) ? file_changes::removed : file_changes::none;
    entry left = entry_of(*in.of, what, std::move(path), notice.is_directory);
    left.event.cookie = notice.cookie;
    left.half = true;
    left.since = loop_clock::now();
    const auto child = in.children.find(notice.name);
    if (child != in.children.end())
    {
        // Until it is known where it went, it is called what it was.
        const std::string place = (below(in) / child->first).string();
        left.moved = std::move(child->second);
        in.children.erase(child);
        left.moved->name = place;
        left.moved->parent = nullptr;
    }
    events_.push_back(std::move(left));
    ++halves_;
}

void file_tree::on_moved_to(directory& in, const file_notice& notice)
{
    const std::string name(notice.name);
    fs::path path = path_of(in, name);
    entry* const half = half_of(notice.cookie, in.of);
    std::unique_ptr<directory> moved;
    if (half == nullptr)
    {
        if (in.found.erase(name) == 0)
            tell(
                *in.of, file_changes::created, std::move(path), notice.is_directory, notice.cookie);
    }
    else
    {
        in.found.erase(name);
        half->half = false;
        --halves_;
        moved = std::move(half->moved);
        file_event& event = half->event;
        const bool wanted = wants(*in.of, file_changes::renamed) ||
                            (half->of != nullptr && wants(*half->of, file_changes::renamed));
        if (event.what != file_changes::none)
            event.what = wanted && !is_told(path) ? file_changes::renamed : file_changes::none;
        event.from = std::exchange(event.path, std::move(path));
    }
    if (notice.is_directory)
        find_in(in, name, std::move(moved));
}

// A directory has come there; it may be one that was watched where it was.
void file_tree::find_in(directory& in, const std::string& name, std::unique_ptr<directory> moved)
{
    if (moved && (moved->of != in.of || !in.of->options.recursive))
    {
        unwatch(*moved);
        moved.reset();
    }
    if (!in.of->options.recursive)
        return;
    if (moved)
    {
        auto& place = in.children[name];
        if (place)
            unwatch(*place);
        moved->parent = &in;
        moved->name = name;
        place = std::move(moved);
        // By now another one may be there; if so, that is watched as a new one.
    }
    const error_code shortage = enter(in, name, true);
    if (shortage)
        tell_unwatched(in, name, shortage);
}

// Directories may have come and gone unheard.
void file_tree::on_overflow()
{
    std::vector<root*> all;
    for (const auto& each : roots_)
        all.push_back(each.get());
    for (root* const each : all)
    {
        error_code ec;
        const int number = platform::watch_directory(notices_, each->place.c_str(), true, ec);
        if (ec || number != each->top->watch)
        {
            if (!ec && by_watch_.find(number) == by_watch_.end())
                platform::unwatch_directory(notices_, number);
            on_self(*each->top);
            continue;
        }
        if (each->options.recursive)
            ec = enter_all(*each->top, false);
        if (ec)
            tell_unwatched(*each->top, {}, ec);
        events_.push_back(entry_of(*each, file_changes::overflow, each->given, each->file.empty()));
    }
}

// One that left that root; else any.
file_tree::entry* file_tree::half_of(std::uint32_t cookie, const root* from) noexcept
{
    entry* found = nullptr;
    std::size_t left = halves_;
    for (auto each = events_.rbegin(); left > 0 && each != events_.rend(); ++each)
    {
        if (!each->half)
            continue;
        --left;
        if (each->event.cookie == cookie && (found == nullptr || each->of == from))
            found = &*each;
    }
    return found;
}

// These have moved to where nothing is watched.
template <class Predicate>
void file_tree::end_halves(Predicate which)
{
    std::size_t left = halves_;
    for (auto each = events_.rbegin(); left > 0 && each != events_.rend(); ++each)
    {
        if (!each->half)
            continue;
        --left;
        if (!which(*each))
            continue;
        each->half = false;
        --halves_;
        if (each->moved)
        {
            // What was done below it, was done elsewhere.
            for (entry& later : events_)
            {
                if (later.amid == each->moved.get())
                    later.event.what = file_changes::none;
            }
            unwatch(*each->moved);
            each->moved.reset();
        }
        if (each->of != nullptr && !wants(*each->of, file_changes::removed))
            each->event.what = file_changes::none;
    }
}

file_tree::entry file_tree::entry_of(root& of, file_changes what, fs::path path, bool is_directory)
{
    entry made;
    made.event.what = what;
    made.event.path = std::move(path);
    made.event.is_directory = is_directory;
    made.of = &of;
    return made;
}

bool file_tree::wants(const root& of, file_changes what) noexcept
{
    return (of.options.wanted & what) != file_changes::none;
}

// For the present notice, by another root with that path; from now on it is.
bool file_tree::is_told(const fs::path& path)
{
    if (std::find(told_.begin(), told_.end(), path) != told_.end())
        return true;
    told_.push_back(path);
    return false;
}

void file_tree::tell(
    root& of, file_changes what, fs::path path, bool is_directory, std::uint32_t cookie)
{
    if (!wants(of, what) || is_told(path))
        return;
    entry it = entry_of(of, what, std::move(path), is_directory);
    it.event.cookie = cookie;
    it.amid = amid_;
    events_.push_back(std::move(it));
}

void file_tree::tell_unwatched(
    const directory& parent, const std::string& name, const error_code& ec)
{
    entry it = entry_of(*parent.of, file_changes::unwatched, path_of(parent, name), true);
    it.event.error = ec;
    events_.push_back(std::move(it));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
