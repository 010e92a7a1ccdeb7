// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "python.hpp"
#include "subject.hpp"

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace children {
namespace {

// Drives asyncio_host.py, which has the loop, the watcher and the children.
class asyncio_subject : public subject
{
public:
    asyncio_subject(const setup& before, const char* watcher)
        : subject({}), starts_(std::string(watcher) == "uvloop")
    {
        int to_host[2];
        int from_host[2];
        if (::pipe2(to_host, O_CLOEXEC) != 0 || ::pipe2(from_host, O_CLOEXEC) != 0)
            throw refused("pipe2");
        std::vector<std::string> words{"/usr/bin/python3", beside("asyncio_host.py"), watcher,
            beside("child_helper"), before.counts_signals ? "counts" : ""};
        const auto argv = pointers(words);
        host_ = ::fork();
        if (host_ == 0)
        {
            ::dup2(to_host[0], 0);
            ::dup2(from_host[1], 1);
            const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
            ::dup2(null, 2);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        ::close(to_host[0]);
        ::close(from_host[1]);
        to_ = ::fdopen(to_host[1], "w");
        from_ = ::fdopen(from_host[0], "r");
        ask("hello");
    }

    ~asyncio_subject() override
    {
        std::fclose(to_); // it ends then
        std::fclose(from_);
        ::waitpid(host_, nullptr, 0);
    }

    pid_t process() const override { return host_; }

    bool starts() const override { return starts_; }
    bool attaches() const override { return !starts_; }

    pid_t start(const arguments& args) override
    {
        return starts_ ? number(ask("begin" + joined(args))) : start_raw(args);
    }
    pid_t start_raw(const arguments& args) override { return number(ask("start" + joined(args))); }
    void start_failing() override { ask("start_failing"); }

    int watch(pid_t pid, then action) override
    {
        const char* const word = action == then::throws            ? "throws"
                                 : action == then::starts_long_one ? "starts_long_one"
                                                                   : "nothing";
        return number(ask("watch " + std::to_string(pid) + " " + word));
    }

    void run(long milliseconds, std::size_t reports) override
    {
        set_long_one(
            number(ask("run " + std::to_string(milliseconds) + " " + std::to_string(reports))));
    }

    void cancel(int wait) override { ask("cancel " + std::to_string(wait)); }
    void drop(int wait) override { ask("drop " + std::to_string(wait)); }
    void drop_watcher(int) override { ask("drop_watcher"); }
    void drop_loop() override { ask("drop_loop"); }
    void close() override { ask("close"); }

    bool is_held(int wait) const override
    {
        return number(ask("held " + std::to_string(wait))) != 0;
    }

    void start_as(pid_t pid, const arguments& args) override
    {
        ask("start_as " + std::to_string(pid) + joined(args));
    }
    int reap(pid_t pid) override { return number(ask("reap " + std::to_string(pid))); }
    void reap_by_thread(pid_t pid) override { ask("reap_by_thread " + std::to_string(pid)); }
    int reaped() override { return number(ask("reaped")); }

    void ignore_signal() override { ask("ignore_signal"); }
    std::size_t signals_counted() const override
    {
        return static_cast<std::size_t>(number(ask("signals")));
    }
    bool counter_stands() const override { return number(ask("counter_stands")) != 0; }

    void use_up_descriptors(int left) override
    {
        ask("use_up_descriptors " + std::to_string(left));
    }
    void release_descriptors() override { ask("release_descriptors"); }

private:
    static std::string joined(const arguments& args)
    {
        std::string line;
        for (const auto& arg : args)
            line += " " + arg;
        return line;
    }

    static int number(const std::string& answer) { return std::atoi(answer.c_str()); }

    // Gives what stands behind "ok". What was told on the way is written down.
    std::string ask(const std::string& operation) const
    {
        std::fprintf(to_, "%s\n", operation.c_str());
        std::fflush(to_);
        char line[512];
        while (std::fgets(line, sizeof line, from_))
        {
            std::istringstream words(line);
            std::string what;
            words >> what;
            if (what == "told")
            {
                report it;
                words >> it.wait >> it.status >> it.at;
                const_cast<asyncio_subject*>(this)->add_report(it);
                continue;
            }
            std::string rest;
            std::getline(words >> std::ws, rest);
            if (what == "ok")
                return rest;
            if (what == "no")
                throw not_offered();
            throw refused(rest);
        }
        throw refused("the host has ended");
    }

    const bool starts_; // as uvloop does, where starting and watching are one
    pid_t host_ = 0;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
};

} // namespace

bool has_uvloop()
{
    static const bool has =
        std::system("/usr/bin/python3 -c 'import uvloop' 2>/dev/null") == 0; // NOLINT: one thread
    return has;
}

void add_asyncio(std::vector<kind>& all)
{
    if (!python::is_there())
        return;
    for (const char* const name : {"Pidfd", "Threaded", "MultiLoop", "Safe", "Fast"})
    {
        const std::string watcher = std::string(name) + "ChildWatcher";
        all.push_back({std::string("asyncio ") + name,
            [watcher](const setup& before) -> std::unique_ptr<subject> {
                return std::make_unique<asyncio_subject>(before, watcher.c_str());
            }});
    }
    if (has_uvloop())
        all.push_back({"uvloop", [](const setup& before) -> std::unique_ptr<subject> {
                           return std::make_unique<asyncio_subject>(before, "uvloop");
                       }});
}

} // namespace children
