// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What an event of a file_watcher costs the thread, from the change to the handler, with 10 and with 10,000
// directories watched, beside one that is read from inotify without a loop; and what it takes to watch them.
//
// usage: file_watches [rounds, 11 unless given]

#include <loops/event_loop.hpp>
#include <loops/watcher/file_watcher.hpp>

#include "measure.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <malloc.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

// So many directories, in two levels, each with a file.
class tree
{
public:
    explicit tree(std::size_t size)
    {
        std::string name = (fs::temp_directory_path() / "loops-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("mkdtemp");
        root_ = name;
        while (files_.size() < size)
        {
            const fs::path folder =
                root_ / std::to_string(files_.size() / 100) / std::to_string(files_.size() % 100);
            fs::create_directories(folder);
            files_.push_back((folder / "file").string());
            std::ofstream(files_.back()) << "text";
        }
    }
    tree(const tree&) = delete;
    tree& operator=(const tree&) = delete;
    ~tree()
    {
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    const fs::path& root() const { return root_; }

    // Changes some file.
    void touch()
    {
        next_ = (next_ + 7919) % files_.size();
        if (::utimensat(AT_FDCWD, files_[next_].c_str(), nullptr, 0) != 0)
            throw std::runtime_error("utimensat");
    }

private:
    fs::path root_;
    std::vector<std::string> files_;
    std::size_t next_ = 0;
};

class raw
{
public:
    explicit raw(const tree& of) : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK))
    {
        for (const auto& each : fs::recursive_directory_iterator(of.root()))
        {
            if (each.is_directory() && ::inotify_add_watch(fd_, each.path().c_str(), IN_ATTRIB) < 0)
                throw std::runtime_error("inotify_add_watch");
        }
    }
    raw(const raw&) = delete;
    raw& operator=(const raw&) = delete;
    ~raw() { ::close(fd_); }

    std::size_t take()
    {
        alignas(inotify_event) std::array<char, 4096> room;
        return ::read(fd_, room.data(), room.size()) > 0 ? 1 : 0;
    }

private:
    int fd_;
};

class watched
{
public:
    explicit watched(const tree& of) : watcher_(loop_)
    {
        loops::file_watch_options options;
        options.recursive = true;
        options.wanted = loops::file_changes::attributes;
        watcher_.add(of.root(), options);
        next();
    }

    std::size_t take()
    {
        const std::size_t before = events_;
        while (events_ == before)
            loop_.run_one();
        return 1;
    }

private:
    void next()
    {
        watcher_.async_wait([this](loops::error_code ec, const loops::file_event&) {
            if (ec)
                return;
            ++events_;
            next();
        });
    }

    loops::event_loop loop_;
    loops::file_watcher watcher_;
    std::size_t events_ = 0;
};

template <class Subject>
measure::rival events_of(const std::string& name, tree& of, Subject& subject)
{
    return measure::calls(name, [&](std::size_t) {
        of.touch();
        return subject.take();
    });
}

template <class Subject>
std::unique_ptr<Subject> made(const char* name, const tree& of, std::size_t size)
{
    const auto heap = [] { return ::mallinfo2().uordblks; };
    const std::size_t before = heap();
    const double begin = measure::wall_nanoseconds();
    auto subject = std::make_unique<Subject>(of);
    const double ms = (measure::wall_nanoseconds() - begin) / 1e6;
    const double bytes =
        (static_cast<double>(heap()) - static_cast<double>(before)) / static_cast<double>(size);
    std::printf(
        "%-26s %6zu directories: %8.1f ms, %6.1f bytes of heap each\n", name, size, ms, bytes);
    measure::write({std::to_string(size) + " directories", name, "heap a directory", "bytes", 0,
        {bytes, bytes, bytes}, {}});
    return subject;
}

void run(std::size_t rounds)
{
    constexpr std::size_t few_directories = 10;
    constexpr std::size_t many_directories = 10000;
    tree few(few_directories);
    tree many(many_directories);
    const auto raw_few = made<raw>("inotify", few, few_directories);
    const auto raw_many = made<raw>("inotify", many, many_directories);
    const auto of_few = made<watched>("file_watcher", few, few_directories);
    const auto of_many = made<watched>("file_watcher", many, many_directories);
    std::vector<measure::rival> rivals;
    rivals.push_back(events_of("inotify, 10", few, *raw_few));
    rivals.push_back(events_of("inotify, 10,000", many, *raw_many));
    rivals.push_back(events_of("file_watcher, 10", few, *of_few));
    rivals.push_back(events_of("file_watcher, 10,000", many, *of_many));
    std::printf("\n");
    measure::print_heading("", "a change and its event", "thread time");
    for (const measure::result& each : measure::interleave(rounds, rivals))
        measure::print("", each);
}

} // namespace

int main(int argc, char* argv[])
{
    try
    {
        run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 11);
        return 0;
    }
    catch (const std::exception& e)
    {
        std::fprintf(stderr, "file_watches: %s\n", e.what());
        return 1;
    }
}
