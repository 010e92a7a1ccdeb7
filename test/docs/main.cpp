// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Runs the code of the pages, each block in a process and a folder of its own. It has to end well: by itself,
// or at SIGTERM, for there are servers among it.

#include "docs/context.hpp"
#include "support/folder.hpp"
#include "support/skipped.hpp"

#include <boost/asio/error.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include <fcntl.h>

namespace fs = std::filesystem;

namespace {

constexpr auto patience = std::chrono::seconds(3);
constexpr auto while_handlers_run = std::chrono::milliseconds(300);
constexpr int skipped = 77;

pid_t some_child()
{
    return loops::start_process({"sleep", {"0.1"}}).id();
}

int some_descriptor()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw std::runtime_error("pipe2");
    return ends[0];
}

// Which block this process is for, if for any. Only then is there what the blocks take for granted.
const char* const asked = std::getenv("LOOPS_DOCS_BLOCK");

} // namespace

namespace docs {

asio::io_context loop;
std::shared_ptr<loops::pool_policy> pool =
    asked != nullptr ? std::make_shared<loops::pool_policy>(2) : nullptr;
std::shared_ptr<loops::child_watcher> watcher =
    asked != nullptr ? loops::default_child_watcher() : nullptr;
const pid_t pid = asked != nullptr ? some_child() : 0;
const int fd = asked != nullptr ? some_descriptor() : -1;

void serve(loops::placing_acceptor<asio::ip::tcp>& acceptor)
{
    acceptor.async_accept([](loops::error_code, const auto&, const loops::lease&) {});
}

} // namespace docs

namespace {

int run(const docs::block& it)
{
    const pid_t here = ::getpid();
    int status = 0;
    try
    {
        if (it.needs_cgroup)
        {
            if (const auto reason = loops::cgroup_scope::why_unsupported())
            {
                std::cout << *reason;
                return skipped;
            }
        }
        loops::set_event_loop(docs::loop);
        it.code();
        if (::getpid() == here)
            loops::run_loop_for(docs::loop, while_handlers_run);
    }
    catch (const std::exception& e)
    {
        std::cerr << e.what() << std::endl;
        status = 1;
    }
    if (::getpid() != here) // it has forked
        ::_exit(status);
    return status;
}

// Whether the block of that number ends well.
bool runs_well(std::size_t number)
{
    const docs::block& it = docs::blocks[number];
    // What the code finds where it is run.
    const test::folder place;
    place.make("src");
    for (const char* const file : {"server.conf", "a.c", "b.c", "c.c"})
        place.write(file);
    loops::command self(fs::read_symlink("/proc/self/exe").string());
    self.directory = place.path().string();
    self.environment.emplace();
    for (char** each = environ; *each != nullptr; ++each)
        self.environment->emplace_back(*each);
    self.environment->push_back("LOOPS_DOCS_BLOCK=" + std::to_string(number));
    loops::run_options options;
    options.deadline = patience;
    bool well = false;
    loops::run([&] {
        loops::async_run(self, options, [&](loops::error_code ec, const loops::run_result& result) {
            const bool in_time = !result.stopped_by || *result.stopped_by == 0;
            const int code = result.exit.returncode();
            well = (!ec || ec == boost::asio::error::timed_out) && in_time &&
                   (code == 0 || code == skipped || (result.stopped_by && code == -SIGTERM));
            if (code == skipped)
                test::skipped(std::string("docs/") + it.where, result.output);
            if (!well)
                std::cerr << it.where << ": ended with " << code << ", " << ec.message() << '\n'
                          << result.output << result.error_output;
        });
    });
    return well;
}

} // namespace

int main()
{
    if (asked != nullptr)
        return run(docs::blocks.at(std::strtoul(asked, nullptr, 10)));
    bool well = true;
    for (std::size_t i = 0; i < docs::blocks.size(); ++i)
        well = runs_well(i) && well;
    std::cout << docs::blocks.size() << " pieces of code were run\n";
    return well ? 0 : 1;
}
