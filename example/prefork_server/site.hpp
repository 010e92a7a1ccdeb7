// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_SITE_HPP
#define PREFORK_SERVER_SITE_HPP

#include <loops/event_loop.hpp>
#include <loops/policy.hpp>

#include "scoreboard.hpp"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <memory>
#include <string>
#include <vector>

namespace prefork {

struct worker_role;

using request = boost::beast::http::request<boost::beast::http::string_body>;
using response = boost::beast::http::response<boost::beast::http::string_body>;

/// What a worker serves: turns requests into answers. All members may be called concurrently.
class site
{
public:
    /// @param policy Whose loops to tell of; it must not be closed while this is asked.
    /// @param description The policy as the command line has it.
    site(loops::event_loop_policy& policy, std::string description,
        std::shared_ptr<const shared_scoreboard> page, const worker_role& role);

    /// Answers a request. The answer says which worker gave it, in the field `X-Worker-Pid`.
    response answer(const request& asked) const;

    /// The worker's own slot of the scoreboard.
    worker_slot& slot() const noexcept { return slot_; }

    /// Whether another worker should have the next connection.
    bool is_ahead() const noexcept { return (*page_)->is_ahead(worker_); }

private:
    std::string status() const;

    // Not the policy itself, which owns what owns this.
    const std::string policy_;
    const std::string description_;
    const std::shared_ptr<const shared_scoreboard> page_;
    const unsigned worker_;
    worker_slot& slot_;
    const std::string pid_;
    const std::vector<boost::asio::io_context*> loops_;
};

} // namespace prefork

#endif
