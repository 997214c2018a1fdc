#include "mffs/turnover.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mffs {
namespace {

constexpr double kAgesPerLife = 8;       // An age ends when this part of all that is live was released.
constexpr double kKnownPart = 1.0 / 16;  // So much must have been released before a guess says anything.
constexpr double kReleasesMin = 24;      // Of the owner: fewer may be chance.
constexpr double kBecomesBrief = .5;     // Of the life of all.
constexpr double kStaysBrief = .7;

}  // namespace

Turnover::Turnover(std::uint32_t owners_max) : owners_(std::bit_ceil(std::max<std::uint32_t>(owners_max, kWays))) {}

void Turnover::Released(std::optional<std::uint64_t> owner, Gone gone, Live live) {
  if (gone.records == 0 || gone.bytes == 0) return;
  all_live_ = live.all_bytes;
  const auto bytes = static_cast<double>(gone.bytes);
  released_ += bytes;
  released_in_age_ += bytes;
  if (owner.has_value()) {
    Owner* const known = FindOrTake(*owner);
    *known = Aged(*known);
    known->releases += static_cast<double>(gone.records);
    known->bytes += bytes;
    known->bytes_times_live += bytes * static_cast<double>(std::max(live.owner_bytes, gone.bytes));
    known->is_brief = LivesShort(*known);
  }
  if (released_in_age_ * kAgesPerLife >= static_cast<double>(all_live_)) GrowOlder();
}

bool Turnover::IsBrief(std::uint64_t owner) const {
  const auto known = Find(owner);
  return known.has_value() && LivesShort(Aged(owners_[*known]));
}

bool Turnover::LivesShort(const Owner& aged) const {
  const auto all_live = static_cast<double>(all_live_);
  if (released_ < all_live * kKnownPart || aged.releases < kReleasesMin) return false;
  const double live = aged.bytes_times_live / aged.bytes;
  return live * released_ < aged.bytes * all_live * (aged.is_brief ? kStaysBrief : kBecomesBrief);
}

void Turnover::GrowOlder() {
  ++age_;
  released_ /= 2;
  released_in_age_ = 0;
}

Turnover::Owner Turnover::Aged(Owner owner) const {
  const double part = std::ldexp(1.0, -static_cast<int>(std::min<std::uint32_t>(age_ - owner.age, 64)));
  owner.age = age_;
  owner.releases *= part;
  owner.bytes *= part;
  owner.bytes_times_live *= part;
  return owner;
}

double Turnover::Weight(const Owner& owner) const {
  return owner.releases == 0 ? 0 : Aged(owner).bytes;
}

std::size_t Turnover::SetOf(std::uint64_t number) const {
  // Mixed (splitmix64), since owners are numbered one after the other.
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  number ^= number >> 31;
  return number % (owners_.size() / kWays) * kWays;
}

std::optional<std::size_t> Turnover::Find(std::uint64_t number) const {
  const std::size_t first = SetOf(number);
  for (std::size_t i = first; i < first + kWays; ++i) {
    if (owners_[i].releases > 0 && owners_[i].number == number) return i;
  }
  return std::nullopt;
}

Turnover::Owner* Turnover::FindOrTake(std::uint64_t number) {
  if (const auto known = Find(number); known.has_value()) return &owners_[*known];
  const auto first = owners_.begin() + static_cast<std::ptrdiff_t>(SetOf(number));
  const auto least =
      std::min_element(first, first + kWays, [this](const Owner& a, const Owner& b) { return Weight(a) < Weight(b); });
  *least = {.number = number, .age = age_};
  return &*least;
}

}  // namespace mffs
