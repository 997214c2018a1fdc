#include "mail_source.h"

#include <algorithm>
#include <charconv>

namespace bench {
namespace {

constexpr std::uint32_t kKiB = 1024;
constexpr std::uint32_t kFixedBytesMax = 64 * kKiB * kKiB;
constexpr std::size_t kAllBuffersBytes = std::size_t{8} << 20;
constexpr std::size_t kBufferBytes = 4 * std::size_t{kKiB} + 64;  // From one writer's buffer to the next.

std::vector<SizeStep> SpecMailSteps() {
  std::vector<SizeStep> steps;
  const auto add = [&steps](double percent, std::uint32_t kib) {
    steps.push_back({percent / 100, kib * kKiB, kib * kKiB});
  };
  add(10.20, 1);
  add(30.71, 2);
  add(20.59, 3);
  add(10.78, 4);
  add(5.88, 5);
  add(3.74, 6);
  add(7.44, 10);
  add(9.79, 100);
  add(0.69, 1000);
  add(0.18, 2675);
  return steps;
}

std::vector<SizeStep> PowerOfTwoSteps() {
  constexpr double kBelow[] = {.2353, .4917, .6760, .7958, .8536, .9047, .9330, .9574, .9724, .9849, .9996, 1.0};
  std::vector<SizeStep> steps;
  double before = 0;
  std::uint32_t least = 1;
  std::uint32_t limit = 2 * kKiB;
  for (const double below : kBelow) {
    steps.push_back({below - before, least, limit - 1});
    before = below;
    least = limit;
    limit *= 2;
  }
  return steps;
}

}  // namespace

base::Result<MailSizes> MailSizes::Parse(const std::string& name) {
  if (name == "specmail") return MailSizes(SpecMailSteps());
  if (name == "power2") return MailSizes(PowerOfTwoSteps());
  std::uint32_t bytes = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), bytes);
  if (error != std::errc() || end != name.data() + name.size() || bytes == 0 || bytes > kFixedBytesMax) {
    return base::Error(base::Errc::kInvalid, "the size '" + name + "' is none of: a number of bytes, specmail, power2");
  }
  return MailSizes({{1.0, bytes, bytes}});
}

std::uint32_t MailSizes::Next(base::Random* random) const {
  double point = static_cast<double>(random->Next() >> 11) * 0x1p-53;
  for (const SizeStep& step : steps_) {
    point -= step.share;
    if (point < 0) {
      return step.least_bytes + static_cast<std::uint32_t>(random->Below(step.most_bytes - step.least_bytes + 1));
    }
  }
  return steps_.front().least_bytes;  // The published shares add up to 1 only within their rounding.
}

std::uint32_t MailSizes::most_bytes() const {
  return std::ranges::max(steps_, {}, &SizeStep::most_bytes).most_bytes;
}

std::string MailSource::MakeBytes(const MailSizes& sizes) {
  base::Random random(1);
  std::string bytes(kAllBuffersBytes + sizes.most_bytes(), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next() >> 56);
  return bytes;
}

MailSource::MailSource(const MailSizes& sizes, std::string_view bytes, std::uint64_t writer)
    : sizes_(sizes), buffer_(bytes.substr(writer * kBufferBytes % kAllBuffersBytes)), random_(writer) {}

std::string_view MailSource::Next() {
  return buffer_.substr(0, sizes_.Next(&random_));
}

}  // namespace bench
