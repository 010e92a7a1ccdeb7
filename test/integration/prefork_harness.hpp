// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_INTEGRATION_PREFORK_HARNESS_HPP
#define LOOPS_TEST_INTEGRATION_PREFORK_HARNESS_HPP

// The example server as a process, its HTTP clients, and load on it.

#include "support/arguments.hpp"
#include "support/latch.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace prefork_test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;
using boost::system::system_error;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

using test::eventually;
using test::patience;

// --- processes ---

class pipe_end
{
public:
    explicit pipe_end(int fd) : fd_(fd) {}
    pipe_end(const pipe_end&) = delete;
    pipe_end& operator=(const pipe_end&) = delete;
    ~pipe_end() { close(); }

    int get() const { return fd_; }

    void close()
    {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

// The server, or a run of it that ends by itself. Ends with the object, whatever happened.
class process
{
public:
    explicit process(const std::vector<std::string>& arguments) : process(arguments, make_pipes())
    {}

    process(const process&) = delete;
    process& operator=(const process&) = delete;

    ~process()
    {
        if (pid_ > 0)
        {
            ::kill(pid_, SIGKILL); // not waited for yet, hence still ours
            ::waitpid(pid_, nullptr, 0);
        }
        reap_orphans();
    }

    int pid() const { return pid_; }

    // Reads standard output up to a text, or to its end.
    std::string read_until(const std::string& mark) { return read(out_, mark); }

    std::string read_errors() { return read(err_, {}); }

    // Waits for the end; -1 where it did not come, minus the signal where there was one.
    int wait()
    {
        int status = 0;
        const bool ended = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
        if (!ended)
            return -1;
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    // Reaps what became ours; false where something went on living.
    static bool reap_orphans()
    {
        return eventually([] {
            while (::waitpid(-1, nullptr, WNOHANG) > 0)
            {}
            return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
        });
    }

private:
    struct pipes
    {
        int out[2];
        int err[2];
    };

    static pipes make_pipes()
    {
        pipes made{};
        if (::pipe2(made.out, O_CLOEXEC) != 0 || ::pipe2(made.err, O_CLOEXEC) != 0)
            throw std::runtime_error("no pipe");
        return made;
    }

    process(const std::vector<std::string>& arguments, const pipes& made)
        : out_(made.out[0]), err_(made.err[0])
    {
        pipe_end out(made.out[1]);
        pipe_end err(made.err[1]);
        const std::string path = test::helper_path("prefork_server");
        std::vector<char*> pointers{const_cast<char*>(path.c_str())};
        for (const std::string& each : arguments)
            pointers.push_back(const_cast<char*>(each.c_str()));
        pointers.push_back(nullptr);

        pid_ = ::fork(); // no other thread is running now
        if (pid_ == 0)
        {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(out.get(), STDOUT_FILENO);
            ::dup2(err.get(), STDERR_FILENO);
            ::execv(path.c_str(), pointers.data());
            ::_exit(127);
        }
        if (pid_ < 0)
            throw std::runtime_error("no process");
    }

    static std::string read(pipe_end& from, const std::string& mark)
    {
        std::string text;
        const auto deadline = clock_type::now() + patience;
        while (
            clock_type::now() < deadline && (mark.empty() || text.find(mark) == std::string::npos))
        {
            ::pollfd ready{from.get(), POLLIN, 0};
            if (::poll(&ready, 1, 100) <= 0)
                continue;
            char buffer[4096];
            const ::ssize_t size = ::read(from.get(), buffer, sizeof buffer);
            if (size <= 0)
                break;
            text.append(buffer, static_cast<std::size_t>(size));
        }
        return text;
    }

    pipe_end out_;
    pipe_end err_;
    int pid_ = 0;
};

inline bool exists(int pid)
{
    return ::kill(pid, 0) == 0 || errno != ESRCH;
}

inline bool have_children()
{
    ::siginfo_t found{};
    return ::waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// --- HTTP ---

struct reply
{
    unsigned status = 0;
    int worker = 0;
    std::string body;
};

// A keep-alive connection. Every step is bounded in time.
class client
{
public:
    explicit client(unsigned short port)
    {
        const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(), port);
        perform([&](auto handler) { stream_.async_connect(server, handler); });
    }

    reply get(const std::string& target)
    {
        send(target);
        return receive();
    }

    void send(const std::string& target)
    {
        http::request<http::empty_body> asked(http::verb::get, target, 11);
        asked.set(http::field::host, "127.0.0.1");
        perform([&](auto handler) { http::async_write(stream_, asked, handler); });
    }

    reply receive()
    {
        http::response<http::string_body> got;
        perform([&](auto handler) { http::async_read(stream_, buffer_, got, handler); });
        reply made;
        made.status = got.result_int();
        made.worker = std::stoi(std::string(got["X-Worker-Pid"]));
        made.body = std::move(got.body());
        return made;
    }

private:
    template <class Start>
    void perform(Start start)
    {
        error_code result = asio::error::would_block;
        stream_.expires_after(patience);
        start([&result](const error_code& ec, auto&&...) { result = ec; });
        loop_.restart();
        loop_.run();
        if (result)
            throw system_error(result);
    }

    asio::io_context loop_;
    beast::tcp_stream stream_{loop_};
    beast::flat_buffer buffer_;
};

struct worker_line
{
    int pid;
    std::int64_t restarts;
};

class server
{
public:
    explicit server(const std::vector<std::string>& arguments) : process_(with_port(arguments))
    {
        const std::string text = process_.read_until("kill ");
        const std::string mark = "http://127.0.0.1:";
        const std::size_t at = text.find(mark);
        if (at == std::string::npos)
            throw std::runtime_error("the server did not start: " + text);
        port_ = static_cast<unsigned short>(std::stoi(text.substr(at + mark.size())));
    }

    unsigned short port() const { return port_; }
    process& its_process() { return process_; }

    json::value status() const
    {
        // The answering worker may be the one that is being killed: then another one answers.
        for (int attempt = 0;; ++attempt)
        {
            try
            {
                client one(port_);
                return json::parse(one.get("/status").body);
            }
            catch (const system_error&)
            {
                if (attempt == 20)
                    throw;
            }
        }
    }

    std::vector<worker_line> workers() const
    {
        std::vector<worker_line> all;
        const json::value now = status();
        for (const json::value& each : now.at("workers").as_array())
            all.push_back(
                {each.at("pid").to_number<int>(), each.at("restarts").to_number<std::int64_t>()});
        return all;
    }

    // Asks it to stop; the exit status.
    int stop()
    {
        ::kill(process_.pid(), SIGTERM);
        return process_.wait();
    }

private:
    static std::vector<std::string> with_port(std::vector<std::string> arguments)
    {
        arguments.insert(arguments.end(), {"--port", "0"});
        return arguments;
    }

    process process_;
    unsigned short port_ = 0;
};

// --- load ---

// The workers that were killed, and when: noted before the signal is sent.
class death_list
{
public:
    void add(int pid)
    {
        const std::lock_guard lock(mutex_);
        when_[pid] = clock_type::now();
    }

    // Whether a connection may have been lost by a kill: one to `owner`; or, where no answer told
    // whose it was, one that is not much older or younger than a kill.
    bool excuses(int owner, clock_type::time_point connected) const
    {
        const std::lock_guard lock(mutex_);
        if (owner != 0)
            return when_.count(owner) != 0;
        return std::any_of(when_.begin(), when_.end(),
            [&](const auto& each) { return each.second > connected - 1s; });
    }

private:
    mutable std::mutex mutex_;
    std::map<int, clock_type::time_point> when_;
};

// Several connections that are used in turn by each of several threads, until told to stop.
class load
{
public:
    load(unsigned short port, const death_list& killed) : port_(port), killed_(killed)
    {
        for (int i = 0; i != 3; ++i)
            threads_.emplace_back([this] { drive(); });
    }

    load(const load&) = delete;
    load& operator=(const load&) = delete;
    ~load() { stop(); }

    void stop()
    {
        stop_ = true;
        for (std::thread& each : threads_)
            each.join();
        threads_.clear();
    }

    int requests() const { return requests_; }
    int lost() const { return lost_; }

    // Once stopped.
    const std::vector<std::string>& failures() const { return failures_; }

private:
    struct line
    {
        std::unique_ptr<client> connection;
        clock_type::time_point connected;
        int owner = 0;
    };

    void drive()
    {
        std::vector<line> lines(4);
        while (!stop_)
        {
            for (line& each : lines)
                use(each);
        }
    }

    void use(line& it)
    {
        try
        {
            if (!it.connection)
            {
                it.owner = 0;
                it.connected = clock_type::now();
                it.connection = std::make_unique<client>(port_);
            }
            const reply got = it.connection->get("/work?us=20");
            if (got.status != 200 || (it.owner != 0 && got.worker != it.owner))
                fail("status " + std::to_string(got.status) + " by " + std::to_string(got.worker));
            it.owner = got.worker;
            ++requests_;
        }
        catch (const system_error& e)
        {
            // That there is a port to connect to never depends on a worker.
            if (it.connection && killed_.excuses(it.owner, it.connected))
                ++lost_;
            else
                fail(std::string(e.what()) + ", worker " + std::to_string(it.owner));
            it.connection.reset();
        }
    }

    void fail(const std::string& what)
    {
        const std::lock_guard lock(mutex_);
        failures_.push_back(what);
        stop_ = true;
    }

    const unsigned short port_;
    const death_list& killed_;
    std::atomic<bool> stop_{false};
    std::atomic<int> requests_{0};
    std::atomic<int> lost_{0};
    std::mutex mutex_;
    std::vector<std::string> failures_;
    std::vector<std::thread> threads_;
};

} // namespace prefork_test

#endif
