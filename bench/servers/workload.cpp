// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "workload.hpp"

#include <cstdlib>

namespace servers {
namespace {

const std::string http_begin = "GET /work?us=";
const std::string http_end = " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: serving\r\n\r\n";
const std::string http_reply =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nHere you are";

} // namespace

std::string request(protocol how, unsigned work_us)
{
    const std::string number = std::to_string(work_us);
    if (how == protocol::http)
        return http_begin + number + http_end;
    return number + std::string(echo_size - number.size(), ' ');
}

std::string reply(protocol how, const std::string& request)
{
    return how == protocol::http ? http_reply : request;
}

unsigned work_of(protocol how, const char* request)
{
    if (how == protocol::http)
        request += http_begin.size();
    return static_cast<unsigned>(std::strtoul(request, nullptr, 10));
}

} // namespace servers
