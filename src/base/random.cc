#include "base/random.h"

#include <cerrno>
#include <vector>

#include <sys/random.h>

#include "base/check.h"

namespace base {

void SecureRandom(std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::getrandom(out.data() + done, out.size() - done, 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0);
    done += static_cast<std::size_t>(got);
  }
}

std::uint64_t SecureRandom64() {
  std::uint64_t value = 0;
  SecureRandom(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::string RandomHex(std::size_t bytes) {
  std::vector<std::byte> raw(bytes);
  SecureRandom(raw);
  std::string text;
  text.reserve(2 * bytes);
  for (const std::byte b : raw) {
    constexpr char kDigits[] = "0123456789abcdef";
    text.push_back(kDigits[std::to_integer<int>(b >> 4)]);
    text.push_back(kDigits[std::to_integer<int>(b & std::byte{15})]);
  }
  return text;
}

}  // namespace base
