// What must hold of every conversion to 7 bits, for tests and the fuzz target.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mail/ascii.h"
#include "mail/mime.h"
#include "mail/seven_bit.h"
#include "mail/text.h"

namespace mail {

inline SevenBitPlan SurveyInPieces(std::string_view message, std::size_t piece) {
  SevenBitSurvey survey;
  for (std::size_t at = 0; at < message.size(); at += piece) survey.Add(message.substr(at, piece));
  return survey.Finish();
}

inline std::string ConvertInPieces(std::string_view message, const SevenBitPlan& plan, std::size_t piece) {
  SevenBitWriter writer(&plan);
  std::string converted;
  for (std::size_t at = 0; at < message.size(); at += piece) converted += writer.Convert(message.substr(at, piece));
  return converted + writer.Finish();
}

// The parts in order, each with its type and its decoded content; the bytes that no reader shows left out.
inline void AppendContent(std::string_view message, const MimePart& part, std::string& out) {
  out += part.type + "/" + part.subtype + "\n";
  if (part.children.empty()) {
    std::string text = DecodePartText(message, part, {.part_bytes_max = message.size()});
    // A decoder may leave out an end of line, or add one, where a body is encoded: RFC 2045 §6.7 rule 3, §6.8.
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    out += text + "\n";
  }
  for (const MimePart& child : part.children) AppendContent(message, child, out);
}

inline std::string ContentOf(std::string_view message) {
  std::string content;
  AppendContent(message, ScanMime(message), content);
  return content;
}

// 1. How the message is cut does not matter.  2. Where nothing stands in the way, no byte of the bodies is 8-bit
// afterwards.  3. A mail that is converted needs no second conversion.
inline std::string CheckConversion(std::string_view message, std::size_t piece) {
  const SevenBitPlan plan = SurveyInPieces(message, message.size() + 1);
  const SevenBitPlan again = SurveyInPieces(message, piece);
  CHECK(plan.parts == again.parts && plan.obstacle == again.obstacle);
  CHECK(plan.body_8bit == again.body_8bit && plan.header_8bit == again.header_8bit);
  const std::string converted = ConvertInPieces(message, plan, message.size() + 1);
  CHECK(ConvertInPieces(message, plan, piece) == converted);
  if (!plan.obstacle.empty()) return converted;
  CHECK(plan.header_8bit || IsAscii(converted));
  CHECK(!SurveyInPieces(converted, converted.size() + 1).body_8bit);
  return converted;
}

}  // namespace mail
