// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "session.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace prefork {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

// How long a client may take to ask, and to take its answer.
constexpr std::chrono::seconds patience{30};

constexpr std::size_t largest_body = std::size_t(64) * 1024;
constexpr std::size_t largest_header = std::size_t(16) * 1024;

} // namespace

void session_list::add(const std::shared_ptr<session>& it)
{
    bool finishing = false;
    {
        const std::lock_guard lock(mutex_);
        all_.emplace(it.get(), it);
        finishing = finishing_;
    }
    if (finishing)
        it->finish();
}

void session_list::remove(const session* it) noexcept
{
    const std::lock_guard lock(mutex_);
    all_.erase(it);
}

void session_list::finish()
{
    std::vector<std::shared_ptr<session>> found;
    {
        const std::lock_guard lock(mutex_);
        finishing_ = true;
        for (const auto& each : all_)
        {
            if (auto living = each.second.lock())
                found.push_back(std::move(living));
        }
    }
    for (const auto& each : found)
        each->finish();
}

session::session(session_socket socket, loops::lease place, std::shared_ptr<const site> content,
    std::shared_ptr<session_list> all)
    : place_(std::move(place)),
      content_(std::move(content)),
      all_(std::move(all)),
      stream_(std::move(socket))
{
    ++content_->slot().connections;
}

session::~session()
{
    --content_->slot().connections;
    all_->remove(this);
}

void session::start()
{
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
        self->all_->add(self);
        self->read();
    });
}

void session::finish()
{
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
        self->finishing_ = true;
        self->leave_if_idle();
    });
}

// Gives up waiting for a request, if no byte of one has come. A read that has bytes already, but
// was not heard of yet, is not touched by the cancellation: such a request is answered.
void session::leave_if_idle()
{
    error_code ignored;
    if (parser_ && !answer_ && !parser_->got_some() && buffer_.size() == 0 &&
        stream_.socket().available(ignored) == 0)
        stream_.cancel();
}

void session::read()
{
    answer_.reset();
    parser_.emplace();
    parser_->body_limit(largest_body);
    parser_->header_limit(largest_header);
    stream_.expires_after(patience);
    http::async_read(stream_, buffer_, *parser_,
        [self = shared_from_this()](const error_code& ec, std::size_t) { self->on_read(ec); });
}

void session::on_read(const error_code& ec)
{
    if (!ec)
        write(content_->answer(parser_->get()));
    else if (ec.category() == http::make_error_code(http::error::end_of_stream).category() &&
             ec != http::error::end_of_stream && ec != http::error::partial_message)
        refuse(ec);
    else
        close(); // the client has left, or took too long, or is not waited for any more
}

void session::refuse(const error_code& why)
{
    response made(why == http::error::body_limit ? http::status::payload_too_large
                                                 : http::status::bad_request,
        11);
    made.body() = why.message() + '\n';
    made.keep_alive(false);
    made.prepare_payload();
    finishing_ = true;
    write(std::move(made));
}

void session::write(response made)
{
    const bool keep_alive = !finishing_ && parser_->get().keep_alive();
    made.keep_alive(keep_alive);
    answer_.emplace(std::move(made));
    stream_.expires_after(patience);
    http::async_write(stream_, *answer_,
        [self = shared_from_this(), keep_alive](
            const error_code& ec, std::size_t) { self->on_write(ec, keep_alive); });
}

void session::on_write(const error_code& ec, bool keep_alive)
{
    if (ec || !keep_alive)
    {
        close();
        return;
    }
    read();
    if (finishing_)
        leave_if_idle(); // asked for while the answer was on its way
}

void session::close()
{
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    stream_.close();
}

} // namespace prefork
