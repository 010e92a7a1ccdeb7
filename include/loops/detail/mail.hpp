// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_MAIL_HPP
#define LOOPS_DETAIL_MAIL_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_record;

// What waits for a loop among others of its kind, of which one handler of the loop delivers many.
// It counts as the loop's work meanwhile.
class mail
{
public:
    // On the loop. It belongs to itself again, and what it throws leaves a handler of the loop.
    virtual void deliver() = 0;

    // The same where the loop has ended, from whoever destroys that.
    virtual void discard() noexcept = 0;

protected:
    mail() = default;
    mail(const mail&) = delete;
    mail& operator=(const mail&) = delete;
    ~mail() = default;

private:
    friend class mailbox;
    mail* next_ = nullptr;
};

// Puts it into the mailbox of a loop, and touches neither from then on. False where the loop is
// closed: it was not taken.
LOOPS_DECL bool send(loop_record& to, mail& what) noexcept;

// The record of a loop, which becomes known to Loops. Null where the loop is closed.
LOOPS_DECL loop_record* open_record(asio::io_context& loop);

// Where a completion goes: a loop, kept at work until then. One that ends before has no use for the
// work, and may be gone when it is to be taken away.
class LOOPS_DECL mail_address
{
public:
    explicit mail_address(asio::io_context& loop);

    mail_address(mail_address&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), record_(std::move(other.record_))
    {}
    mail_address& operator=(mail_address&&) = delete;

    ~mail_address();

    asio::io_context& loop() const noexcept { return *loop_; }

    // Null where Loops did not know the loop, or it was closed: no mail goes there.
    loop_record* record() const noexcept { return record_.get(); }

private:
    asio::io_context* loop_;
    std::shared_ptr<loop_record> record_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
