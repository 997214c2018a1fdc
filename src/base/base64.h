// Base64 (RFC 4648 §4): SASL exchanges, and whatever else carries bytes in text lines.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

// The standard alphabet with padding, no line breaks.
std::string EncodeBase64(std::string_view bytes);

// Strict, for hostile input: exact padding, no white space, no foreign characters, the unused bits of the last group
// zero (so each byte string has one encoding only). The empty text decodes to nothing. Errors: kInvalid.
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace base
