// Random: a small seeded generator for tests, jitter and choices. Not for secrets: those come from SecureRandom.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace base {

// SplitMix64 (Steele, Lea, Flood 2014). A value: copy it to fork the sequence.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); bound > 0.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }
  // True once in `n` calls on average.
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }

 private:
  std::uint64_t state_;
};

// Fills `out` from the kernel's generator; stops the process if there is none.
void SecureRandom(std::span<std::byte> out);
std::uint64_t SecureRandom64();
// `bytes` random bytes in lower-case hexadecimal, for identifiers.
std::string RandomHex(std::size_t bytes);

}  // namespace base
