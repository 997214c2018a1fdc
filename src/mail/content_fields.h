// The Content-... fields of one MIME entity, read into its MimePart (RFC 2045, 2183, 1864, 3282, 2557).
#pragma once

#include <string_view>

#include "mail/mime.h"

namespace mail {

// What an entity is when it does not say (RFC 2046 §5.1.5).
enum class DefaultType { kTextPlain, kMessage };

// Fills everything but the ranges, line count and children. Of several fields of one name the first counts; a
// Content-Type that cannot be read counts as text/plain (RFC 2045 §5.2).
void ReadContentFields(std::string_view header, DefaultType default_type, const MimeLimits& limits, MimePart& part);

}  // namespace mail
