// Fuzz target: any line is a command or a BadCommand with a 5xx code, and never more.
#include <cstdint>
#include <cstdlib>

#include "smtp/proto/command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const smtp::Command command = smtp::ParseCommand({reinterpret_cast<const char*>(data), size});
  const auto* bad = std::get_if<smtp::BadCommand>(&command);
  if (bad != nullptr && (bad->code < 500 || bad->code > 555 || bad->text.empty())) std::abort();
  return 0;
}
