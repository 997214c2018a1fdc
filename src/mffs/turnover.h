// Turnover: which owners' records are soon released, learned from what they released before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace mffs {

// An owner is a number to it (the store's: a mailbox). By Little's law records live as long as the owner has live ones,
// divided by how fast they are released; no ages are needed, and what was not released yet counts as well. An owner is
// brief when its records live less than half as long as those of all together, until they live more than 0.7 times as
// long. Time is counted in bytes released, so what has to be known first and what is forgotten depend on nothing else.
//
// A value of one thread, deterministic, bounded: a table of fixed size, in which an owner that releases little gives
// way to one that releases more. So an owner that fills it with others of its own can make a guess wrong, not worse: a
// wrong guess costs copying, nothing else depends on it. Lost with the process, learned anew.
class Turnover {
 public:
  // 16,384 owners take 768 KiB.
  explicit Turnover(std::uint32_t owners_max = 16'384);

  struct Gone {
    std::uint64_t records = 1;
    std::uint64_t bytes = 0;
  };
  struct Live {
    std::uint64_t owner_bytes = 0;
    std::uint64_t all_bytes = 0;
  };
  // Records were released; `live` as it was just before. Of no owner: of one that stores nothing any more.
  void Released(std::optional<std::uint64_t> owner, Gone gone, Live live);
  // Whether what the owner stores now is expected to be released soon. No, while too little is known.
  bool IsBrief(std::uint64_t owner) const;

 private:
  static constexpr std::size_t kWays = 4;  // Places in the table that an owner may take.

  // Halved with each age of the table; see Aged().
  struct Owner {
    std::uint64_t number = 0;
    std::uint32_t age = 0;  // Of the table, when this was written.
    bool is_brief = false;
    double releases = 0;  // 0: nobody.
    double bytes = 0;
    double bytes_times_live = 0;
  };

  double Weight(const Owner& owner) const;
  Owner Aged(Owner owner) const;
  std::optional<std::size_t> Find(std::uint64_t number) const;
  Owner* FindOrTake(std::uint64_t number);
  std::size_t SetOf(std::uint64_t number) const;
  bool LivesShort(const Owner& aged) const;
  void GrowOlder();

  std::vector<Owner> owners_;
  std::uint32_t age_ = 0;
  std::uint64_t all_live_ = 0;  // As told last.
  double released_ = 0;         // By all, halved with each age.
  double released_in_age_ = 0;
};

}  // namespace mffs
