// Id<Tag>: a number that cannot be mixed with another number.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace base {

// `using SegmentId = base::Id<struct SegmentIdTag>;`
template <class Tag, class Rep = std::uint64_t>
class Id {
 public:
  using rep = Rep;
  constexpr Id() = default;
  constexpr explicit Id(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr Id Next() const { return Id(static_cast<Rep>(value_ + 1)); }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  Rep value_ = 0;
};

}  // namespace base

template <class Tag, class Rep>
struct std::hash<base::Id<Tag, Rep>> {
  std::size_t operator()(base::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>()(id.value()); }
};
