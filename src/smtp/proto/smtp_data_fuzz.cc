// Fuzz target: DATA cut in two anywhere gives the same mail and the same end as DATA in one piece.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/proto/data_scanner.h"

namespace {

struct Scanned {
  std::string mail;
  std::size_t taken = 0;
  bool at_end = false;
};

Scanned Scan(std::string wire, std::size_t cut) {
  smtp::DataScanner scanner;
  Scanned scanned;
  for (const std::span<char> piece : {std::span(wire).first(cut), std::span(wire).subspan(cut)}) {
    if (scanned.at_end) break;
    const auto step = scanner.Scan(piece);
    if (step.kept > step.taken || step.taken > piece.size()) std::abort();
    if (step.cr_before) scanned.mail.push_back('\r');
    scanned.mail.append(piece.data(), step.kept);
    scanned.taken += step.taken;
    scanned.at_end = step.at_end;
  }
  return scanned;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Scanned whole = Scan(wire, wire.size());
  const Scanned pieces = Scan(wire, data[0] % (wire.size() + 1));
  if (whole.mail != pieces.mail || whole.taken != pieces.taken || whole.at_end != pieces.at_end) std::abort();
  return 0;
}
