// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_RECORD_TABLE_HPP
#define LOOPS_SRC_DETAIL_RECORD_TABLE_HPP

#include <loops/config.hpp>

#include <boost/functional/hash.hpp>
#include <boost/intrusive/unordered_set.hpp>

#include <cstddef>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Objects by a key that they hold, linked through hooks of theirs: beside them there are only the
// buckets, one for four objects at least.
template <class T, auto Hook, class KeyOf, class Hash = boost::hash<typename KeyOf::type>>
class record_table
{
public:
    using key_type = typename KeyOf::type;

    T* find(const key_type& key) noexcept
    {
        const auto found = set_.find(key);
        return found != set_.end() ? &*found : nullptr;
    }

    // Room for one more. Where this throws, the table is as before.
    void reserve()
    {
        if (set_.size() < 4 * buckets_.size())
            return;
        buckets larger(2 * buckets_.size());
        set_.rehash({larger.data(), larger.size()});
        buckets_.swap(larger);
    }

    // There was room made for it.
    void insert(T& object) noexcept { set_.insert(object); }

    void erase(T& object) noexcept { set_.erase(set_.iterator_to(object)); }

private:
    using set = boost::intrusive::unordered_set<T,
        boost::intrusive::member_hook<T,
            boost::intrusive::unordered_set_member_hook<
                boost::intrusive::link_mode<boost::intrusive::normal_link>>,
            Hook>,
        boost::intrusive::key_of_value<KeyOf>, boost::intrusive::hash<Hash>,
        boost::intrusive::equal<std::equal_to<key_type>>, boost::intrusive::power_2_buckets<true>>;
    using buckets = std::vector<typename set::bucket_type>;

    buckets buckets_{64};
    set set_{typename set::bucket_traits(buckets_.data(), buckets_.size())};
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
