// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_LOG_CAPTURE_HPP
#define LOOPS_TEST_SUPPORT_LOG_CAPTURE_HPP

#include <loops/log.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace test {

// What the log hook is told while this lives. A message that another thread is about to deliver may
// come later, and finds the text still there.
class log_capture
{
public:
    log_capture()
        : before_(loops::set_log_hook([heard = heard_](std::string_view text) {
              const std::lock_guard lock(heard->mutex);
              heard->text += text;
          }))
    {}
    log_capture(const log_capture&) = delete;
    log_capture& operator=(const log_capture&) = delete;
    ~log_capture() { loops::set_log_hook(before_); }

    std::string said() const
    {
        const std::lock_guard lock(heard_->mutex);
        return heard_->text;
    }

private:
    struct heard
    {
        std::mutex mutex;
        std::string text;
    };

    const std::shared_ptr<heard> heard_ = std::make_shared<heard>();
    loops::log_hook before_;
};

} // namespace test

#endif
