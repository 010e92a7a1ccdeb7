// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// The example server from outside: over real HTTP, while its workers are killed.
//
// This process is a subreaper: whatever the server leaves behind becomes our child, so that
// "no zombie and no orphan" is "we have no child any more".

#define BOOST_TEST_MODULE prefork_server
#include "support/arguments.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/src.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
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

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;
using boost::system::system_error;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Nothing is waited for any longer.
constexpr std::chrono::seconds patience{20};

bool eventually(const std::function<bool()>& condition)
{
    const auto deadline = clock_type::now() + patience;
    while (!condition())
    {
        if (clock_type::now() > deadline)
            return false;
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

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

bool exists(int pid)
{
    return ::kill(pid, 0) == 0 || errno != ESRCH;
}

bool have_children()
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

struct subreaper
{
    subreaper()
    {
        if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
            throw std::runtime_error("no subreaper");
    }
};

BOOST_TEST_GLOBAL_FIXTURE(subreaper);

// --- cases ---

void check_one_line(const std::vector<std::string>& arguments, const std::string& expected)
{
    process run(arguments);
    const std::string errors = run.read_errors();
    BOOST_TEST_CONTEXT(errors)
    {
        BOOST_TEST(run.wait() == 2);
        BOOST_TEST(std::count(errors.begin(), errors.end(), '\n') == 1);
        BOOST_TEST(errors.find(expected) != std::string::npos);
        BOOST_TEST(run.read_until({}) == "");
    }
}

BOOST_AUTO_TEST_CASE(bad_options_are_one_line_and_status_2)
{
    check_one_line({"--colour"}, "--colour");
    check_one_line({"--policy", "pol"}, "expected one of default");
    check_one_line({"--policy", "pool:none"}, "expected a number of threads");
    check_one_line({"--policy", "pool\n"}, "expected one of");
    check_one_line({"--policy"}, "--policy");
    check_one_line({"--threads", "2"}, "--threads");
    check_one_line({"--policy", "pool:2", "--threads", "2"}, "--threads");
    check_one_line({"--policy", "pool", "--threads", "0"}, "--threads");
    check_one_line({"--workers", "0"}, "--workers");
    check_one_line({"--workers", "-1"}, "--workers");
    check_one_line({"--port", "65536"}, "--port");
    check_one_line({"--port", "8080x"}, "--port");
    check_one_line({"--watcher", "bird"}, "pidfd");
    check_one_line({"--grace", "-3"}, "--grace");
    check_one_line({"--worker", "0"}, "--worker");
    check_one_line({"--worker", "0", "--master", "1"}, "--worker");
    check_one_line({"more"}, "--help");
}

BOOST_AUTO_TEST_CASE(help_is_on_standard_output_and_status_0)
{
    process run({"--help"});
    const std::string text = run.read_until({});
    for (const char* each : {"--policy", "--threads", "--workers", "--port", "--watcher", "--help"})
        BOOST_TEST(text.find(each) != std::string::npos, each);
    BOOST_TEST(run.read_errors() == "");
    BOOST_TEST(run.wait() == 0);
}

BOOST_AUTO_TEST_CASE(port_in_use_is_an_error)
{
    server first({"--workers", "1"});
    process second({"--port", std::to_string(first.port())});
    const std::string errors = second.read_errors();
    BOOST_TEST(second.wait() == 1);
    BOOST_TEST(errors.find(std::to_string(first.port())) != std::string::npos, errors);
    BOOST_TEST(first.stop() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_served)
{
    server one({"--policy", "pool,chooser=least_loaded", "--threads", "3", "--watcher", "pidfd",
        "--workers", "3"});
    client user(one.port());
    BOOST_TEST(user.get("/").status == 200U);
    BOOST_TEST(user.get("/work?us=1").status == 200U);
    BOOST_TEST(user.get("/work?us=-1").status == 400U);
    BOOST_TEST(user.get("/nowhere").status == 404U);
    const reply got = user.get("/status");
    BOOST_TEST(got.status == 200U);

    const json::value status = json::parse(got.body);
    BOOST_TEST(status.at("worker").at("pid").to_number<int>() == got.worker);
    BOOST_TEST(status.at("policy").at("name").as_string() == "pool");
    BOOST_TEST(status.at("policy").at("description").as_string() == "pool:3,chooser=least_loaded");
    BOOST_TEST(!status.at("backend").at("name").as_string().empty());
    BOOST_TEST(status.at("watcher").at("name").as_string() == "pidfd");
    BOOST_TEST(status.at("master").at("pid").to_number<int>() == one.its_process().pid());
    std::int64_t load = 0;
    for (const json::value& each : status.at("loops").as_array())
        load += each.at("load").to_number<std::int64_t>();
    BOOST_TEST(status.at("loops").as_array().size() == 3U);
    BOOST_TEST(load == 1); // this connection
    std::int64_t requests = 0;
    for (const json::value& each : status.at("workers").as_array())
        requests += each.at("requests").to_number<std::int64_t>();
    BOOST_TEST(status.at("workers").as_array().size() == 3U);
    BOOST_TEST(requests == 5);

    BOOST_TEST(one.stop() == 0);
    BOOST_TEST(!have_children());
}

void serve_while_workers_are_killed(const std::string& policy)
{
    server one({"--policy", policy, "--workers", "2", "--grace", "10"});
    std::vector<int> seen;
    death_list killed;
    load users(one.port(), killed);
    BOOST_TEST_REQUIRE(eventually([&] { return users.requests() > 50; }));

    for (int round = 0; round != 4; ++round)
    {
        const std::vector<worker_line> before = one.workers();
        BOOST_TEST_REQUIRE(before.size() == 2U);
        const int victim = before[static_cast<std::size_t>(round) % 2].pid;
        BOOST_TEST_REQUIRE(victim > 0);
        for (const worker_line& each : before)
            seen.push_back(each.pid);

        killed.add(victim);
        BOOST_TEST_REQUIRE(::kill(victim, SIGKILL) == 0); // the server's, and just listed by it

        const bool replaced = eventually([&] {
            const std::vector<worker_line> now = one.workers();
            std::int64_t restarts = 0;
            bool all = true;
            for (const worker_line& each : now)
            {
                restarts += each.restarts;
                all = all && each.pid != 0 && each.pid != victim;
            }
            return all && restarts == round + 1;
        });
        BOOST_TEST_REQUIRE(replaced);
        BOOST_TEST(!exists(victim)); // not even as a zombie

        // The new one takes part.
        const int until = users.requests() + 100;
        BOOST_TEST_REQUIRE(eventually([&] { return users.requests() > until; }));
    }
    for (const worker_line& each : one.workers())
        seen.push_back(each.pid);

    users.stop();
    for (const std::string& each : users.failures())
        BOOST_ERROR(each);
    BOOST_TEST_MESSAGE(policy << ": " << users.requests() << " requests, " << users.lost()
                              << " connections lost with their workers");

    const auto begin = clock_type::now();
    BOOST_TEST(one.stop() == 0);
    BOOST_TEST((clock_type::now() - begin < 10s)); // nothing was under way: no need of the grace
    BOOST_TEST(!have_children());
    for (const int each : seen)
        BOOST_TEST(!exists(each));
}

BOOST_AUTO_TEST_CASE(default_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("default");
}

BOOST_AUTO_TEST_CASE(shared_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("shared:2");
}

BOOST_AUTO_TEST_CASE(threaded_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("threaded");
}

BOOST_AUTO_TEST_CASE(pool_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("pool:2");
}

void stop_with_connections(const std::string& policy)
{
    server one({"--policy", policy, "--workers", "1"});
    client idle(one.port());
    client busy(one.port());
    BOOST_TEST(idle.get("/").status == 200U);
    const int worker = busy.get("/").worker;
    busy.send("/work?us=400000");
    // It has come, whether the worker knows it yet or not: sending on loopback is delivering.

    const auto begin = clock_type::now();
    ::kill(one.its_process().pid(), SIGTERM);
    const reply last = busy.receive();
    BOOST_TEST(last.status == 200U);
    BOOST_TEST(last.worker == worker);
    BOOST_TEST(one.its_process().wait() == 0);
    BOOST_TEST((clock_type::now() - begin < 8s)); // the grace is 10
    BOOST_TEST(!have_children());
    BOOST_CHECK_THROW(idle.get("/"), system_error);
}

BOOST_AUTO_TEST_CASE(sigterm_lets_requests_end_and_closes_idle_connections)
{
    for (const char* each : {"default", "shared:2", "threaded", "pool:2"})
    {
        BOOST_TEST_CONTEXT(each)
        {
            stop_with_connections(each);
        }
    }
}

BOOST_AUTO_TEST_CASE(worker_that_does_not_stop_is_killed)
{
    server one({"--workers", "2", "--grace", "1"});
    const int stuck = one.workers().at(0).pid;
    BOOST_TEST_REQUIRE(::kill(stuck, SIGSTOP) == 0);
    BOOST_TEST(one.stop() == 0);
    BOOST_TEST(!exists(stuck));
    BOOST_TEST(!have_children());
}

BOOST_AUTO_TEST_CASE(worker_that_is_asked_to_stop_is_replaced_too)
{
    server one({"--workers", "2"});
    const int old = one.workers().at(0).pid;
    BOOST_TEST_REQUIRE(::kill(old, SIGTERM) == 0);
    BOOST_TEST(eventually([&] {
        const worker_line now = one.workers().at(0);
        return now.restarts == 1 && now.pid != 0 && now.pid != old;
    }));
    BOOST_TEST(one.stop() == 0);
    BOOST_TEST(!have_children());
}

BOOST_AUTO_TEST_CASE(workers_die_with_their_master)
{
    server one({"--workers", "3"});
    const std::vector<worker_line> workers = one.workers();
    BOOST_TEST_REQUIRE(::kill(one.its_process().pid(), SIGKILL) == 0);
    BOOST_TEST(one.its_process().wait() == -SIGKILL);
    BOOST_TEST(process::reap_orphans()); // they became ours
    for (const worker_line& each : workers)
        BOOST_TEST(!exists(each.pid));
}

} // namespace
