// Bare CR and bare LF made CRLF: for clients that an operator lists, since they can't be mended. Pure.
#pragma once

#include <string>
#include <string_view>

namespace smtp {

// Fed the bytes that DataScanner kept. It changes what is stored, never where the mail ends.
class LineEndNormalizer {
 public:
  // Appends `bytes` to `out` with every line end as CRLF.
  void Append(std::string_view bytes, std::string& out);
  // At the end of the mail: a CR that was the last byte becomes a line end.
  void Finish(std::string& out);

 private:
  bool after_cr_ = false;
};

}  // namespace smtp
