// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "getter.hpp"

namespace getter {
namespace {

thread_local boost::asio::io_context* current = nullptr;

} // namespace

boost::asio::io_context* get() noexcept
{
    return current;
}

void set(boost::asio::io_context* loop) noexcept
{
    current = loop;
}

} // namespace getter
