// Finding: one thing that a check has to say about a volume, and where.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mffs {

enum class Severity : std::uint8_t {
  kNote,     // As it should be, but worth knowing.
  kWarning,  // Something is wrong; no mail is affected.
  kDamage,   // Mail, or what is known of mail, is harmed.
};
inline constexpr std::size_t kSeverityCount = 3;
std::string_view ToString(Severity severity);

struct Finding {
  Severity severity = Severity::kNote;
  std::string kind;      // One word or two for programs: "record", "live_bytes".
  std::string sentence;  // What, where, and what to do.
  // The place, as far as it has one.
  std::optional<std::uint32_t> segment{};
  std::optional<std::uint64_t> offset{};  // On the device.
  std::optional<std::uint64_t> lsn{};
  std::optional<std::uint32_t> partition{};
  std::optional<std::uint64_t> index{};
  std::optional<std::uint64_t> body{};
};

// Findings in the order in which they came; past the limit they are only counted. Thread: one.
class Findings {
 public:
  explicit Findings(std::size_t kept_max = 10'000) : kept_max_(kept_max) {}

  void Add(Finding finding);
  const std::vector<Finding>& kept() const { return kept_; }
  std::uint64_t count(Severity severity) const { return counts_[static_cast<std::size_t>(severity)]; }
  std::uint64_t left_out() const { return left_out_; }
  // By severity, the worst first, then by place.
  void Sort();

 private:
  std::size_t kept_max_;
  std::vector<Finding> kept_;
  std::array<std::uint64_t, kSeverityCount> counts_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace mffs
