// Fuzz target: hostile messages become 7-bit however they are cut, or it is said why not.
#include <cstddef>
#include <cstdint>

#include "mail/seven_bit_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  mail::CheckConversion(message, 1 + size / 5);
  return 0;
}
