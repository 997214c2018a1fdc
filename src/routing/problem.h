// Problem: something in a table of addresses that is not as it must be, and where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace routing {

struct Problem {
  std::string where;       // A file, or the key of the configuration.
  std::uint32_t line = 0;  // From 1; 0: the whole of it.
  std::string text;        // What is wrong, and what is allowed.

  // "/etc/aliases:12: ...".
  std::string ToString() const;

  friend bool operator==(const Problem&, const Problem&) = default;
};

// The problems of one reading: the first ones in full, the others counted.
class Problems {
 public:
  explicit Problems(std::size_t kept_max = 100) : kept_max_(kept_max) {}

  void Add(std::string_view where, std::uint32_t line, std::string text);

  bool empty() const { return count_ == 0; }
  std::uint64_t count() const { return count_; }
  const std::vector<Problem>& kept() const { return kept_; }
  std::vector<Problem> Take() && { return std::move(kept_); }

 private:
  std::size_t kept_max_;
  std::uint64_t count_ = 0;
  std::vector<Problem> kept_;
};

}  // namespace routing
