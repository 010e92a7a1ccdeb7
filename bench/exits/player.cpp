// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "player.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace exits {
namespace {

constexpr long patience = 20000;

// Where the helper writes the time of its end.
class stamps
{
public:
    stamps() : name_("/dev/shm/loops-child-exits-" + std::to_string(::getpid()))
    {
        fd_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd_ < 0 || ::ftruncate(fd_, sizeof(std::int64_t)) != 0)
            throw children::refused("no shared memory");
        slot_ = static_cast<volatile std::int64_t*>(
            ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd_, 0));
    }
    ~stamps()
    {
        ::unlink(name_.c_str());
        ::close(fd_);
    }

    const std::string& name() const { return name_; }
    double value() const { return static_cast<double>(*slot_); }

private:
    std::string name_;
    int fd_ = -1;
    volatile std::int64_t* slot_ = nullptr;
};

pid_t start_waited(children::subject& it, const children::arguments& args)
{
    const pid_t pid = it.attaches() ? it.start_raw(args) : it.start(args);
    it.watch(pid, children::then::drops);
    return pid;
}

// What the player's process does with a line.
std::string carry_out(children::subject& it, const std::string& line)
{
    std::istringstream words(line);
    std::string what;
    std::size_t count = 0;
    words >> what >> count;
    std::ostringstream answer;
    answer.precision(17);
    if (what == "latencies")
    {
        const stamps stamp;
        for (std::size_t i = 0; i < count; ++i)
        {
            start_waited(it, {"stamp", stamp.name(), "0", "2"});
            it.run(patience, it.reports().size() + 1);
            answer << it.reports().back().at - stamp.value() << ' ';
        }
    }
    else if (what == "start")
    {
        for (std::size_t i = 0; i < count; ++i)
            answer << start_waited(it, {"pause"}) << ' ';
        it.run(1, it.reports().size() + 1);
    }
    else if (what == "run")
    {
        const auto told = it.reports().size();
        const double before = children::cpu_nanoseconds(it.process());
        it.run(count == 0 ? 1 : patience, told + count);
        answer << children::cpu_nanoseconds(it.process()) - before << ' '
               << (it.reports().empty() ? 0 : it.reports().back().at);
        if (it.reports().size() < told + count)
            throw children::refused("not all were told");
    }
    else
        answer << it.process();
    return answer.str();
}

bool write_line(int fd, std::string line)
{
    line += '\n';
    for (std::size_t at = 0; at < line.size();)
    {
        const ssize_t size = ::write(fd, line.data() + at, line.size() - at);
        if (size < 0)
            return false;
        at += static_cast<std::size_t>(size);
    }
    return true;
}

std::string read_line(int fd, std::string& buffer)
{
    for (;;)
    {
        const auto end = buffer.find('\n');
        if (end != std::string::npos)
        {
            std::string line = buffer.substr(0, end);
            buffer.erase(0, end + 1);
            return line;
        }
        char more[4096];
        const ssize_t size = ::read(fd, more, sizeof more);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            throw children::refused("the player has ended");
        buffer.append(more, static_cast<std::size_t>(size));
    }
}

[[noreturn]] void play(const children::kind& who, int from, int to)
{
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
    std::string buffer;
    try
    {
        const auto it = who.make({});
        for (;;)
            write_line(to, carry_out(*it, read_line(from, buffer)));
    }
    catch (const std::exception& problem)
    {
        write_line(to, std::string("refused ") + problem.what());
    }
    ::_exit(0);
}

std::size_t number_after(const std::string& file, const std::string& word)
{
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);)
    {
        if (line.compare(0, word.size(), word) == 0)
            return std::strtoul(line.c_str() + word.size(), nullptr, 10);
    }
    return 0;
}

} // namespace

footprint footprint_of(pid_t process)
{
    const std::string place = "/proc/" + std::to_string(process) + "/";
    footprint it;
    it.threads = number_after(place + "status", "Threads:");
    it.resident_kib = number_after(place + "status", "VmRSS:");
    it.descriptors = static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(place + "fd"), {}));
    return it;
}

player::player(const children::kind& who)
{
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0)
        throw children::refused("pipe2");
    player_ = ::fork();
    if (player_ == 0)
    {
        ::close(to[1]);
        ::close(from[0]);
        play(who, to[0], from[1]);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = to[1];
    from_ = from[0];
    send("process 0");
    process_ = std::atoi(receive().c_str());
}

player::~player()
{
    // The children go first: a dead parent's would be this process's.
    for (const pid_t pid : alive_)
        ::kill(pid, SIGKILL);
    if (process_ > 0 && process_ != player_)
        ::kill(process_, SIGKILL);
    ::kill(player_, SIGKILL);
    // Threads that were traced end for their tracer, one by one, and their process after them. It may have ended
    // before, and have been waited for with another one's.
    for (pid_t ended = ::waitpid(player_, nullptr, __WALL | WNOHANG);
         ended >= 0 && ended != player_;)
        ended = ::waitpid(-1, nullptr, __WALL);
    ::close(to_);
    ::close(from_);
}

void player::send(const std::string& line)
{
    write_line(to_, line);
}

std::string player::receive()
{
    const std::string line = read_line(from_, buffer_);
    if (line.compare(0, 8, "refused ") == 0)
        throw children::refused(line.substr(8));
    return line;
}

std::vector<double> player::latencies(std::size_t count)
{
    send("latencies " + std::to_string(count));
    std::istringstream numbers(receive());
    std::vector<double> all;
    for (double each; numbers >> each;)
        all.push_back(each);
    return all;
}

void player::start(std::size_t count)
{
    while (count > 0)
    {
        const auto some = std::min<std::size_t>(count, 500);
        send("start " + std::to_string(some));
        std::istringstream numbers(receive());
        for (pid_t pid; numbers >> pid;)
            alive_.push_back(pid);
        count -= some;
    }
}

std::vector<pid_t> player::take(std::size_t count)
{
    // Not those that were started last: the kernel's list of children is searched from its end.
    const auto from = alive_.size() / 2 - std::min(count, alive_.size()) / 2;
    const auto begin = alive_.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end = begin + static_cast<std::ptrdiff_t>(count);
    const std::vector<pid_t> some(begin, end);
    alive_.erase(begin, end);
    return some;
}

void player::run(std::size_t count)
{
    send("run " + std::to_string(count));
}

double player::result()
{
    std::istringstream numbers(receive());
    double cpu = 0;
    numbers >> cpu >> last_at_;
    return cpu;
}

pid_t kill_slowly(const std::vector<pid_t>& pids, long milliseconds_between)
{
    const pid_t killer = ::fork();
    if (killer != 0)
        return killer;
    timespec between{0, milliseconds_between * 1000000};
    for (const pid_t pid : pids)
    {
        ::nanosleep(&between, nullptr);
        ::kill(pid, SIGKILL);
    }
    ::_exit(0);
}

} // namespace exits
