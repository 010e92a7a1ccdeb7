// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE file_watcher

#include <loops/backend.hpp>
#include <loops/watcher/file_watcher.hpp>

#include "support/child_processes.hpp"
#include "support/error_check.hpp"
#include "support/faults.hpp"
#include "support/folder.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace test;
namespace asio = boost::asio;
namespace fs = std::filesystem;
using loops::file_changes;
using loops::file_event;

namespace {

loops::file_watch_options recursive(file_changes wanted = file_changes::usual)
{
    loops::file_watch_options options;
    options.recursive = true;
    options.wanted = wanted;
    return options;
}

// A limit of this process's, while it lives.
class rlimit_scope
{
public:
    rlimit_scope(int which, rlim_t most) : which_(which)
    {
        ::getrlimit(static_cast<__rlimit_resource>(which_), &before_);
        rlimit now = before_;
        now.rlim_cur = most;
        ::setrlimit(static_cast<__rlimit_resource>(which_), &now);
    }
    rlimit_scope(const rlimit_scope&) = delete;
    rlimit_scope& operator=(const rlimit_scope&) = delete;
    ~rlimit_scope() { ::setrlimit(static_cast<__rlimit_resource>(which_), &before_); }

private:
    const int which_;
    rlimit before_{};
};

// A watcher, and what it told: one line an event.
class told
{
public:
    explicit told(const folder& in) : in_(in), watcher(loop) { next(); }

    // Runs the loop until that many lines have come in all, and gives them.
    const std::vector<std::string>& wait_for(std::size_t number)
    {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (lines.size() < number && std::chrono::steady_clock::now() < end)
            loop.run_one_for(std::chrono::milliseconds(100));
        // What is not expected would come with that or soon.
        loop.run_for(std::chrono::milliseconds(15));
        return lines;
    }

    bool wait_until(const std::function<bool()>& done)
    {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!done() && std::chrono::steady_clock::now() < end)
            loop.run_one_for(std::chrono::milliseconds(100));
        return done();
    }

    asio::io_context loop;

private:
    void next()
    {
        watcher.async_wait([this](loops::error_code ec, const file_event& event) {
            if (ec)
                return;
            std::ostringstream line;
            line << event.what << ' ' << relative(event.path);
            if (event.what == file_changes::renamed)
                line << " from " << relative(event.from);
            if (event.is_directory)
                line << '/';
            if (event.error)
                line << ": " << event.error.message();
            lines.push_back(line.str());
            events.push_back(event);
            next();
        });
    }

    std::string relative(const fs::path& path) const
    {
        const std::string whole = path.string();
        const std::string base = in_.path().string();
        if (whole.rfind(base, 0) != 0)
            return whole;
        return whole.size() == base.size() ? "." : whole.substr(base.size() + 1);
    }

    const folder& in_;

public:
    loops::file_watcher watcher;
    std::vector<std::string> lines;
    std::vector<file_event> events;
};

using lines = std::vector<std::string>;

#define LOOPS_TEST_TOLD(of, ...)                                                                \
    do                                                                                          \
    {                                                                                           \
        const lines expected __VA_ARGS__;                                                       \
        BOOST_TEST(of.wait_for(expected.size()) == expected, boost::test_tools::per_element()); \
    }                                                                                           \
    while (false)

} // namespace

BOOST_AUTO_TEST_CASE(a_directory)
{
    const child_ledger ledger;
    const folder in;
    in.write("old");
    told events(in);
    events.watcher.add(in.path());
    in.write("new");
    in.rename("new", "newer");
    in.remove("newer");
    in.make("sub");
    in.write("sub/not_told");
    in.write("old");
    LOOPS_TEST_TOLD(events, {"created new", "written new", "renamed newer from new",
                                "removed newer", "created sub/", "written old"});
    BOOST_TEST(events.events[2].cookie != 0U);
    BOOST_TEST(events.watcher.is_active());
}

BOOST_AUTO_TEST_CASE(what_is_wanted)
{
    const folder in;
    told events(in);
    loops::file_watch_options options;
    options.wanted = file_changes::modified | file_changes::attributes | file_changes::removed;
    events.watcher.add(in.path(), options);
    in.write("file");
    fs::permissions(in / "file", fs::perms::owner_read);
    in.rename("file", "other");
    in.remove("other");
    LOOPS_TEST_TOLD(events, {"modified file", "attributes file", "removed other"});
    options.wanted = file_changes::created;
    events.watcher.add(in.path(), options); // replaces that
    in.write("third");
    in.remove("third");
    LOOPS_TEST_TOLD(events, {"modified file", "attributes file", "removed other", "created third"});
    BOOST_TEST(events.watcher.roots().size() == 1U);
    std::ostringstream text;
    text << file_changes::usual << ' ' << file_changes::none;
    BOOST_TEST(text.str() == "created|written|removed|renamed none");
}

// The path is what counts: whatever is there after the editor is done.
BOOST_AUTO_TEST_CASE(a_file_that_editors_replace)
{
    const folder in;
    in.write("file");
    in.write("beside");
    told events(in);
    events.watcher.add(in / "file");
    in.write("beside");
    in.write("file", "in place");
    in.write("file.tmp"); // as most do
    in.rename("file.tmp", "file");
    in.write("file", "again");
    in.rename("file", "file~"); // as others do
    in.write("file");
    LOOPS_TEST_TOLD(events, {"written file", "created file", "written file", "removed file",
                                "created file", "written file"});
}

BOOST_AUTO_TEST_CASE(a_file_that_comes_later)
{
    const folder in;
    told events(in);
    events.watcher.add(in / "file");
    in.write("other");
    in.write("file");
    in.remove("file");
    LOOPS_TEST_TOLD(events, {"created file", "written file", "removed file"});
}

BOOST_AUTO_TEST_CASE(a_tree)
{
    const folder in;
    in.make("a/b/c");
    in.write("a/b/c/file");
    told events(in);
    events.watcher.add(in.path(), recursive());
    in.write("a/b/c/file");
    in.write("a/b/new");
    in.remove("a/b/c/file");
    in.remove("a/b/c");
    LOOPS_TEST_TOLD(events, {"written a/b/c/file", "created a/b/new", "written a/b/new",
                                "removed a/b/c/file", "removed a/b/c/"});
}

// What was in there before the watcher heard of the directory is told, once.
BOOST_AUTO_TEST_CASE(a_new_directory)
{
    const folder in;
    told events(in);
    events.watcher.add(in.path(), recursive());
    in.make("a/b");
    in.write("a/file");
    in.write("a/b/file");
    BOOST_TEST(events.wait_until([&] { return events.lines.size() >= 4; }));
    std::multiset<std::string> all(events.lines.begin(), events.lines.end());
    BOOST_TEST(all.count("created a/") == 1U);
    BOOST_TEST(all.count("created a/b/") == 1U);
    BOOST_TEST(all.count("created a/file") == 1U);
    BOOST_TEST(all.count("created a/b/file") == 1U);
    const std::size_t before = events.wait_for(4).size();
    in.write("a/b/file");
    BOOST_TEST(events.wait_for(before + 1).back() == "written a/b/file");
}

// Threads make trees below each other's as fast as they can: each name is told as created once.
BOOST_AUTO_TEST_CASE(nothing_is_missed_in_new_directories)
{
    const folder in;
    told events(in);
    events.watcher.add(in.path(), recursive(file_changes::created));
    constexpr std::size_t threads = 3;
    constexpr std::size_t trees = 30;
    std::vector<std::thread> makers;
    std::atomic<std::size_t> names{0};
    for (std::size_t i = 0; i != threads; ++i)
        makers.emplace_back([&, i] {
            for (std::size_t tree = 0; tree != trees; ++tree)
            {
                std::string name = std::to_string(i) + "-" + std::to_string(tree);
                for (int depth = 0; depth != 4; ++depth)
                {
                    in.make(name);
                    in.write(name + "/file");
                    names += 2;
                    name += "/" + std::to_string(depth);
                }
            }
        });
    BOOST_TEST(events.wait_until([&] { return events.lines.size() >= threads * trees * 8; }));
    for (std::thread& each : makers)
        each.join();
    const auto& all = events.wait_for(names);
    BOOST_TEST(all.size() == names);
    BOOST_TEST(std::set<std::string>(all.begin(), all.end()).size() == all.size());
}

BOOST_AUTO_TEST_CASE(moves)
{
    const folder in;
    const folder outside;
    in.make("a/deep");
    in.make("b");
    in.write("a/deep/file");
    told events(in);
    events.watcher.add(in.path(), recursive());
    // Within: what is below goes along.
    in.rename("a", "b/a");
    in.write("b/a/deep/file");
    // Out: it is gone, and told no more.
    fs::rename(in / "b/a", outside / "a");
    outside.write("a/deep/file");
    LOOPS_TEST_TOLD(events, {"renamed b/a from a/", "written b/a/deep/file", "removed b/a/"});
    // In: it is new, with what is in it.
    fs::rename(outside / "a", in / "c");
    LOOPS_TEST_TOLD(events, {"renamed b/a from a/", "written b/a/deep/file", "removed b/a/",
                                "created c/", "created c/deep/", "created c/deep/file"});
    in.write("c/deep/file");
    BOOST_TEST(events.wait_for(7).back() == "written c/deep/file");
    // Over an empty one.
    in.make("empty");
    in.rename("c", "empty");
    in.write("empty/deep/file");
    const auto& all = events.wait_for(10);
    BOOST_TEST(all.at(all.size() - 2) == "renamed empty from c/");
    BOOST_TEST(all.back() == "written empty/deep/file");
}

// A name is taken by another directory before the watcher hears of the rename.
BOOST_AUTO_TEST_CASE(names_change_hands)
{
    const folder in;
    in.make("a");
    told events(in);
    events.watcher.add(in.path(), recursive());
    for (int round = 0; round != 10; ++round)
    {
        const std::string other = "b" + std::to_string(round);
        in.rename("a", other);
        in.make("a");
        in.write("a/file");
    }
    BOOST_TEST(events.wait_until(
        [&] { return std::count(events.lines.begin(), events.lines.end(), "created a/") >= 10; }));
    events.wait_for(0);
    // Each directory is watched where it is now.
    events.lines.clear();
    for (int round = 0; round != 10; ++round)
        in.write("b" + std::to_string(round) + "/after");
    in.write("a/after");
    BOOST_TEST(events.wait_until([&] { return events.lines.size() >= 22; }));
    const std::set<std::string> all(events.lines.begin(), events.lines.end());
    BOOST_TEST(all.count("created a/after") == 1U);
    for (int round = 0; round != 10; ++round)
        BOOST_TEST(all.count("created b" + std::to_string(round) + "/after") == 1U);
}

// Each root has its own rules; a path that two of them have is told once.
BOOST_AUTO_TEST_CASE(roots_overlap)
{
    const folder in;
    in.make("a/b");
    told events(in);
    events.watcher.add(in.path(), recursive());
    events.watcher.add(in / "a");
    events.watcher.add(in / "a/b", recursive());
    events.watcher.add(in / "a/file");
    BOOST_TEST(events.watcher.roots().size() == 4U);
    in.write("a/file");
    in.write("a/b/file");
    in.rename("a/b/file", "a/moved");
    LOOPS_TEST_TOLD(events, {"created a/file", "written a/file", "created a/b/file",
                                "written a/b/file", "renamed a/moved from a/b/file"});
    BOOST_TEST(events.watcher.remove(in.path()));
    BOOST_TEST(!events.watcher.remove(in.path()));
    in.write("top");
    in.write("a/moved");
    in.write("a/b/file");
    BOOST_TEST(events.wait_for(8).back() == "written a/b/file");
    BOOST_TEST(events.lines.size() == 8U);
}

BOOST_AUTO_TEST_CASE(a_root_goes)
{
    const folder in;
    in.make("a");
    in.make("b");
    told events(in);
    events.watcher.add(in / "a");
    events.watcher.add(in / "b", recursive());
    in.remove("a");
    in.rename("b", "c");
    LOOPS_TEST_TOLD(events, {"removed a/", "removed b/"});
    BOOST_TEST(events.watcher.roots().empty());
    in.write("c/file");
    in.make("a");
    events.watcher.add(in / "a");
    in.write("a/file");
    LOOPS_TEST_TOLD(events, {"removed a/", "removed b/", "created a/file", "written a/file"});
}

BOOST_AUTO_TEST_CASE(relative_paths_and_links)
{
    const folder in;
    const folder outside;
    in.make("real");
    fs::create_directory_symlink(in / "real", in / "link");
    fs::create_directory_symlink(outside.path(), in / "real/out");
    const fs::path before = fs::current_path();
    fs::current_path(in.path());
    told events(in);
    events.watcher.add("link", recursive());
    fs::current_path(before);
    in.make("real/sub");
    in.write("real/sub/file");
    outside.write("not_told");
    BOOST_TEST(events.wait_until([&] { return events.lines.size() >= 2; }));
    events.wait_for(2);
    BOOST_TEST(events.lines[0] == "created link/sub/");
    BOOST_TEST(events.lines[1] == "created link/sub/file");
    for (const std::string& each : events.lines)
        BOOST_TEST(each.find("not_told") == std::string::npos);
}

// The kernel drops notices when there are too many: each root is told of that, and is watched whole again.
BOOST_AUTO_TEST_CASE(too_much_happens)
{
    std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
    std::size_t most = 0;
    limit >> most;
    if (most == 0 || most > 100000)
        return skipped("file_watcher/too_much_happens",
            "fs.inotify.max_queued_events is " + std::to_string(most));
    const child_ledger ledger;
    const folder in;
    in.make("a/old");
    in.make("b");
    asio::io_context loop;
    loops::file_watcher watcher(loop);
    watcher.add(in / "a", recursive());
    watcher.add(in / "b");
    // Nobody waits meanwhile. Two notices that are equal would be one.
    for (std::size_t i = 0; i <= most / 2; ++i)
    {
        fs::permissions(in / "b", (i & 1U) != 0 ? fs::perms::owner_all : fs::perms::all);
        fs::permissions(in / "a", (i & 1U) != 0 ? fs::perms::owner_all : fs::perms::all);
    }
    in.make("a/new/deep");
    in.remove("a/old");
    in.rename("a/new", "a/newer");
    std::multiset<std::string> overflows;
    std::set<std::string> created;
    std::function<void()> next = [&] {
        watcher.async_wait([&](loops::error_code ec, const file_event& event) {
            if (ec)
                return;
            if (event.what == file_changes::overflow)
                overflows.insert(event.path.string());
            if (event.what == file_changes::created)
                created.insert(event.path.string());
            if (overflows.size() == 2 && created.empty())
                in.write("a/newer/deep/file");
            if (created.empty())
                next();
        });
    };
    next();
    loop.run_for(patience);
    BOOST_TEST(overflows.count((in / "a").string()) == 1U);
    BOOST_TEST(overflows.count((in / "b").string()) == 1U);
    BOOST_TEST(created.count((in / "a/newer/deep/file").string()) == 1U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_watched)
{
    const child_ledger ledger;
    const folder in;
    in.write("file");
    in.make("a/b");
    asio::io_context loop;
    loops::file_watcher watcher(loop);
    namespace errc = boost::system::errc;
    const auto check = [&](const fs::path& path, loops::file_watch_options options,
                           errc::errc_t expected) {
        loops::error_code ec;
        watcher.add(path, options, ec);
        BOOST_TEST((ec == expected), path << ": " << ec.message());
    };
    const auto code = [](errc::errc_t number) {
        return loops::error_code(number, boost::system::system_category());
    };
    check(in / "none/none", {}, errc::no_such_file_or_directory);
    check(in / "none", recursive(), errc::no_such_file_or_directory);
    check(in / "file", recursive(), errc::not_a_directory);
    check(in / "file/file", {}, errc::not_a_directory);
    check("", {}, errc::no_such_file_or_directory);
    check_error(
        [&] { watcher.add(in / "none/none"); }, code(errc::no_such_file_or_directory), "none/none");
    {
        // The second directory's watch is refused: the first one's is given back.
        const faults no_more{{"inotify_add_watch", ENOSPC, -1, 1}};
        check_error([&] { watcher.add(in.path(), recursive()); }, code(errc::no_space_on_device),
            "max_user_watches");
    }
    BOOST_TEST(watcher.roots().empty());
    bool told = false;
    watcher.async_wait([&](loops::error_code, const file_event&) { told = true; });
    in.write("a/file");
    loop.run_for(std::chrono::milliseconds(15));
    BOOST_TEST(!told);
    const faults no_descriptor{{"inotify_init1", EMFILE}};
    check_error(
        [] { loops::file_watcher(); }, code(errc::too_many_files_open), "max_user_instances");
}

// A directory that cannot be watched is told; those beside it are watched.
BOOST_AUTO_TEST_CASE(a_new_directory_that_cannot_be_watched)
{
    const folder in;
    told events(in);
    events.watcher.add(in.path(), recursive());
    {
        const faults refused{{"inotify_add_watch", ENOSPC}};
        in.make("refused");
        BOOST_TEST(events.wait_until([&] { return events.lines.size() >= 2; }));
    }
    in.make("watched");
    LOOPS_TEST_TOLD(events,
        {"created refused/", "unwatched refused/: No space left on device", "created watched/"});
    in.write("watched/file");
    BOOST_TEST(events.wait_for(5).back() == "written watched/file");
}

BOOST_AUTO_TEST_CASE(is_cancelled)
{
    const child_ledger ledger;
    const folder in;
    asio::io_context loop;
    loops::file_watcher watcher(loop);
    watcher.add(in.path());
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total})
    {
        asio::cancellation_signal cancel;
        std::optional<loops::error_code> cancelled;
        watcher.async_wait(asio::bind_cancellation_slot(
            cancel.slot(), [&](loops::error_code ec, const file_event&) { cancelled = ec; }));
        cancel.emit(type);
        BOOST_TEST(!cancelled);
        loop.restart();
        loop.run();
        BOOST_REQUIRE(cancelled);
        BOOST_TEST((*cancelled == asio::error::operation_aborted));
    }
    // No event is lost by that.
    in.write("file");
    auto event = watcher.async_wait(asio::use_future);
    loop.restart();
    loop.run();
    BOOST_TEST((event.get().what == file_changes::created));
}

BOOST_AUTO_TEST_CASE(is_closed)
{
    const child_ledger ledger;
    const folder in;
    asio::io_context loop;
    loops::file_watcher watcher(loop);
    watcher.add(in.path());
    std::optional<loops::error_code> pending;
    std::optional<loops::error_code> late;
    watcher.async_wait([&](loops::error_code ec, const file_event&) { pending = ec; });
    BOOST_TEST(watcher.is_active());
    watcher.close();
    watcher.close();
    BOOST_TEST(!watcher.is_active());
    watcher.async_wait([&](loops::error_code ec, const file_event&) { late = ec; });
    BOOST_TEST(!pending);
    BOOST_TEST(!late);
    loop.run();
    BOOST_TEST((pending == asio::error::operation_aborted));
    BOOST_TEST((late == make_error_code(loops::error::watcher_closed)));
    BOOST_TEST(watcher.roots().empty());
    check_error([&] { watcher.add(in.path()); }, loops::error::watcher_closed);
    check_error([&] { watcher.attach_loop(loop); }, loops::error::watcher_closed, "files");
}

BOOST_AUTO_TEST_CASE(a_move_over_what_was_found)
{
    const folder in;
    const folder outside;
    outside.write("new");
    asio::io_context loop;
    loops::file_watcher watcher(loop);
    watcher.add(in.path(), recursive(file_changes::created));
    const auto next = [&] {
        auto event = watcher.async_wait(asio::use_future);
        loop.restart();
        loop.run();
        return event.get();
    };
    in.make("folder");
    in.write("folder/file");
    // Nobody waits for more than these two.
    BOOST_TEST(next().path == in / "folder");
    BOOST_TEST(next().path == in / "folder/file");
    fs::rename(outside / "new", in / "folder/file");
    const file_event event = next();
    BOOST_TEST(event.path == in / "folder/file");
    BOOST_TEST(event.cookie != 0U);
}

// What is there is not known for want of a descriptor: it is told, and not taken for an empty directory.
BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_read)
{
    const folder in;
    in.make("a/b");
    told events(in);
    loops::error_code ec;
    {
        const rlimit_scope none(RLIMIT_NOFILE, 0);
        events.watcher.add(in.path(), recursive(), ec);
    }
    BOOST_TEST((ec == boost::system::errc::too_many_files_open), ec.message());
    BOOST_TEST(events.watcher.roots().empty());
    events.watcher.add(in.path(), recursive());
    in.make("c");
    {
        const rlimit_scope none(RLIMIT_NOFILE, 0);
        BOOST_TEST(events.wait_until([&] { return events.lines.size() >= 2; }));
    }
    LOOPS_TEST_TOLD(events, {"created c/", "unwatched c/: Too many open files"});
}

// One root wants removals only, and one wants what is made.
BOOST_AUTO_TEST_CASE(roots_that_want_different_things)
{
    const folder in;
    const folder outside;
    in.make("a");
    in.make("b");
    in.make("c/deep");
    in.write("a/file");
    in.write("c/deep/file");
    told events(in);
    events.watcher.add(in / "a");
    events.watcher.add(in.path(), recursive(file_changes::created));
    fs::rename(in / "a/file", outside / "file");
    LOOPS_TEST_TOLD(events, {"removed a/file"});
    events.watcher.add(in.path(), recursive());
    events.watcher.add(in / "b");
    in.rename("c", "b/c");
    in.write("b/c/deep/file");
    LOOPS_TEST_TOLD(events, {"removed a/file", "renamed b/c from c/", "written b/c/deep/file"});
}

// What happened before one loop took over, or while there was none, is told by the next.
BOOST_AUTO_TEST_CASE(another_loop_takes_over)
{
    const child_ledger ledger;
    const folder in;
    asio::io_context first;
    asio::io_context second;
    loops::file_watcher watcher;
    watcher.add(in.path());
    for (int round = 0; round != 3; ++round)
    {
        std::string got;
        const std::string name = std::to_string(round);
        watcher.attach_loop(first);
        watcher.async_wait([&](loops::error_code, const file_event& event) {
            got = event.path.filename().string();
        });
        if (round == 0)
            in.make(name);
        if (round == 1)
        {
            watcher.attach_loop(nullptr);
            BOOST_TEST(!watcher.is_active());
            in.make(name);
        }
        watcher.attach_loop(second);
        if (round == 2)
            in.make(name);
        first.restart();
        first.run_for(std::chrono::milliseconds(20));
        BOOST_TEST(got.empty());
        second.restart();
        second.run_for(patience);
        BOOST_TEST(got == name);
    }
}

// The other half does not come; the loop that knew of the first one is not run any more.
BOOST_AUTO_TEST_CASE(another_loop_takes_half_a_move_over)
{
    const folder in;
    const folder outside;
    in.make("name");
    asio::io_context first;
    asio::io_context second;
    loops::file_watcher watcher(first);
    watcher.add(in.path());
    auto event = watcher.async_wait(asio::use_future);
    fs::rename(in / "name", outside / "name");
    first.poll();
    watcher.attach_loop(second);
    second.run();
    const file_event got = event.get();
    BOOST_TEST(got.what == file_changes::removed);
    BOOST_TEST(got.path == in / "name");
    BOOST_TEST(got.cookie != 0U);
}

BOOST_AUTO_TEST_CASE(its_loop_is_destroyed)
{
    const child_ledger ledger;
    const folder in;
    loops::file_watcher watcher;
    watcher.add(in.path());
    auto held = std::make_shared<int>();
    const std::weak_ptr<int> alive = held;
    {
        asio::io_context loop;
        watcher.attach_loop(loop);
        watcher.async_wait([held](loops::error_code, const file_event&) { std::abort(); });
        held.reset();
        BOOST_TEST(!alive.expired());
    }
    BOOST_TEST(alive.expired());
    BOOST_TEST(!watcher.is_active());
    // What is another loop's stays, and that is all.
    asio::io_context other;
    bool called = false;
    {
        asio::io_context loop;
        asio::signal_set older(loop, SIGUSR2);
        watcher.attach_loop(loop);
        watcher.async_wait(asio::bind_executor(
            other.get_executor(), [&](loops::error_code, const file_event&) { called = true; }));
    }
    BOOST_TEST(!watcher.is_active());
    in.make("folder");
    asio::io_context after;
    watcher.attach_loop(after);
    after.run();
    other.run();
    BOOST_TEST(called);
    in.write("file");
    asio::io_context next;
    watcher.attach_loop(next);
    auto event = watcher.async_wait(asio::use_future);
    next.run();
    BOOST_TEST((event.get().what == file_changes::created));
}

BOOST_AUTO_TEST_CASE(a_handler_has_its_own_executor)
{
    const folder in;
    asio::io_context loop;
    asio::io_context other;
    loops::file_watcher watcher(loop);
    watcher.add(in.path());
    bool called = false;
    watcher.async_wait(asio::bind_executor(
        other.get_executor(), [&](loops::error_code, const file_event&) { called = true; }));
    in.write("file");
    loop.run();
    BOOST_TEST(!called);
    other.run(); // it had to wait for that
    BOOST_TEST(called);
    // There is an event already: not inside of the call, all the same.
    called = false;
    watcher.async_wait([&](loops::error_code, const file_event&) { called = true; });
    BOOST_TEST(!called);
    loop.restart();
    loop.run();
    BOOST_TEST(called);
}

BOOST_AUTO_TEST_CASE(threads_wait_cancel_and_take_over)
{
    const child_ledger ledger;
    const folder in;
    constexpr int files = 300;
    asio::io_context loops_of_it[2];
    loops::file_watcher watcher(loops_of_it[0]);
    watcher.add(in.path(), recursive(file_changes::created));
    auto busy = std::make_optional(asio::make_work_guard(loops_of_it[0]));
    auto busy_too = std::make_optional(asio::make_work_guard(loops_of_it[1]));
    std::vector<std::thread> runners;
    for (asio::io_context& each : loops_of_it)
        for (int i = 0; i != 2; ++i)
            runners.emplace_back([&each] { each.run(); });
    std::atomic<int> told{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> users;
    for (int i = 0; i != 3; ++i)
        users.emplace_back([&, i] {
            for (int round = 0; !over; ++round)
            {
                std::atomic<int> calls{0};
                asio::cancellation_signal cancel;
                watcher.async_wait(asio::bind_cancellation_slot(
                    cancel.slot(), [&](loops::error_code ec, const file_event&) {
                        told += ec ? 0 : 1;
                        ++calls;
                    }));
                if (round % 3 == 0)
                    cancel.emit(asio::cancellation_type::terminal);
                if (i == 0)
                    watcher.attach_loop(loops_of_it[round % 2]);
                while (calls == 0 && !over)
                    std::this_thread::yield();
                if (over && calls == 0)
                {
                    cancel.emit(asio::cancellation_type::terminal);
                    while (calls == 0)
                        std::this_thread::yield();
                }
            }
        });
    std::thread maker([&] {
        for (int i = 0; i != files; ++i)
            in.make(std::to_string(i));
    });
    maker.join();
    BOOST_TEST(eventually([&] { return told == files; }));
    over = true;
    for (std::thread& each : users)
        each.join();
    BOOST_TEST(told == files);
    busy.reset();
    busy_too.reset();
    for (std::thread& each : runners)
        each.join();
}

BOOST_AUTO_TEST_CASE(forked)
{
    if (loops::backend() == loops::backend_type::io_uring)
        return skipped("file_watcher/forked",
            "Asio 1.81 shares the ring with a forked child, which takes the parent's operations");
    const child_ledger ledger;
    const folder in;
    asio::io_context loop;
    std::optional<loops::file_watcher> watcher(std::in_place, loop);
    watcher->add(in.path());
    int calls = 0;
    watcher->async_wait([&](loops::error_code, const file_event&) { ++calls; });
    loop.notify_fork(asio::io_context::fork_prepare);
    const int code = in_forked_child([&] {
        loop.notify_fork(asio::io_context::fork_child);
        std::optional<loops::error_code> late;
        watcher->async_wait(asio::bind_executor(
            loop.get_executor(), [&](loops::error_code ec, const file_event&) { late = ec; }));
        loops::error_code ec;
        watcher->add(in.path(), {}, ec);
        loop.restart();
        loop.poll();
        watcher->close();
        watcher.reset();
        loop.poll();
        return (late == make_error_code(loops::error::forked) ? 0 : 1) +
               (ec == loops::error::forked ? 0 : 2) + (calls == 0 ? 0 : 4);
    });
    loop.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(code == 0);
    // A child that tells no loop, and destroys what it inherited, takes nothing from the parent.
    BOOST_TEST(in_forked_child([&] {
        watcher.reset();
        return 0;
    }) == 0);
    in.write("file");
    loop.restart();
    loop.run();
    BOOST_TEST(calls == 1);
}
