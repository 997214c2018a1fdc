// A header value with parameters: Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183, RFC 2231).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mail/mime.h"

namespace mail {

struct ParameterizedValue {
  std::string value;  // Lower case, without white space or comments: "text/plain", "attachment".
  Parameters parameters;
};

// Reads a field body. Continuations are joined, percent-encoding and charsets undone. Of several parameters of one
// name the RFC 2231 form wins, else the first. Parameter values are valid UTF-8 without CR, LF and NUL.
// Parameters (and continuations) past `parameters_max` are left out.
ParameterizedValue ParseParameterized(std::string_view body, std::size_t parameters_max);

// RFC 2045 §5.1 token; not empty.
bool IsMimeToken(std::string_view text);

}  // namespace mail
