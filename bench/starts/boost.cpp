// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define LOOPS_WITH_BOOST_PROCESS_V1

#include <loops/detail/boost_process.hpp>

#include "starters.hpp"

#include <boost/asio/io_context.hpp>

namespace starts {
namespace {

namespace asio = boost::asio;
namespace process_v1 = loops::detail::boost_process_v1;

class v2_starter : public starter
{
public:
    explicit v2_starter(std::string program) : program_(std::move(program)) {}

    void start_and_wait() override
    {
        boost::process::v2::process child(loop_, program_, none_);
        child.async_wait([](boost::system::error_code, int) {});
        loop_.restart();
        loop_.run();
    }

private:
    const std::string program_;
    const std::vector<std::string> none_;
    asio::io_context loop_;
};

class v1_starter : public starter
{
public:
    explicit v1_starter(std::string program) : program_(std::move(program)) {}

    void start_and_wait() override
    {
        loop_.restart();
        process_v1::child child(
            program_, loop_, process_v1::on_exit = [](int, const std::error_code&) {});
        loop_.run();
    }

private:
    const std::string program_;
    asio::io_context loop_;
};

} // namespace

void add_boost(std::vector<kind>& all)
{
    all.push_back(kind_of<v2_starter>("Boost.Process v2"));
    all.push_back(kind_of<v1_starter>("Boost.Process v1"));
}

} // namespace starts
