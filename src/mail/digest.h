// Digest: SHA-256 over a mail as it comes, for delivery ids.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace mail {

// Thread: one at a time. Reusable: Finish() begins anew.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  // Forgets what was added.
  void Begin();
  void Update(std::string_view bytes);
  // The first 128 bits of the digest.
  std::array<std::uint8_t, 16> Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace mail
