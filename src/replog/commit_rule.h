// CommitRule: when an entry of a partition is committed: every member of the counted set has it durable (CLUSTER.md
// "Commit").
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/id.h"
#include "replog/types.h"

namespace replog {

using MemberId = base::Id<struct MemberIdTag, std::uint32_t>;
inline constexpr MemberId kSelf{0};

// A value of one partition. A set of one now: this node's volume. Replicas join by more members, and the pipeline above
// stays.
class CommitRule {
 public:
  CommitRule() { members_.push_back({kSelf, Index(0)}); }

  // `member` has every entry up to `index` durable.
  void Durable(MemberId member, Index index) {
    const auto found = std::ranges::find(members_, member, &Member::id);
    CHECK(found != members_.end());
    found->durable = std::max(found->durable, index);
  }

  Index Committed() const { return std::ranges::min_element(members_, {}, &Member::durable)->durable; }

 private:
  struct Member {
    MemberId id;
    Index durable;
  };
  std::vector<Member> members_;
};

}  // namespace replog
