#include "mail/text.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include <gmime/gmime.h>

#include "mail/ascii.h"
#include "mail/charset.h"
#include "mail/header.h"

namespace mail {
namespace {

// GMime's set-up is process-wide; it stays set up.
void SetUpGMime() {
  static const bool is_set_up = (g_mime_init(), true);
  static_cast<void>(is_set_up);
}

GMimeContentEncoding TransferEncoding(const MimePart& part);
std::string_view FindCharset(const MimePart& part);
bool IsFoldedIn(std::string_view folded_haystack, std::string_view folded_needle);

}  // namespace

std::string DecodeHeaderText(std::string_view body, const TextLimits& limits) {
  const std::string line = Unfold(body.substr(0, limits.header_bytes_max));
  if (!line.contains("=?")) return ToUtf8(line, "");
  SetUpGMime();
  const std::unique_ptr<char, decltype(&g_free)> decoded(g_mime_utils_header_decode_text(nullptr, line.c_str()),
                                                         g_free);
  return decoded == nullptr ? ToUtf8(line, "") : ToUtf8(decoded.get(), "utf-8");
}

std::string DecodePartText(std::string_view message, const MimePart& part, const TextLimits& limits) {
  if (!part.children.empty()) return {};
  const std::string_view body =
      message.substr(part.body.offset, std::min<std::size_t>(part.body.size, limits.part_bytes_max));
  PartTextDecoder decoder(part);
  std::string text = decoder.Add(body);
  text.append(decoder.Finish());
  return text;
}

struct PartTextDecoder::State {
  GMimeContentEncoding encoding;
  GMimeEncoding transfer;
  Utf8Converter charset;
};

PartTextDecoder::PartTextDecoder(const MimePart& part)
    : state_(new State{TransferEncoding(part), {}, Utf8Converter(FindCharset(part))}) {
  if (state_->encoding == GMIME_CONTENT_ENCODING_DEFAULT) return;
  SetUpGMime();
  g_mime_encoding_init_decode(&state_->transfer, state_->encoding);
}

PartTextDecoder::~PartTextDecoder() = default;

std::string PartTextDecoder::Add(std::string_view body) {
  if (state_->encoding == GMIME_CONTENT_ENCODING_DEFAULT) return state_->charset.Add(body);
  std::string decoded(g_mime_encoding_outlen(&state_->transfer, body.size()), '\0');
  decoded.resize(g_mime_encoding_step(&state_->transfer, body.data(), body.size(), decoded.data()));
  return state_->charset.Add(decoded);
}

std::string PartTextDecoder::Finish() {
  if (state_->encoding == GMIME_CONTENT_ENCODING_DEFAULT) return state_->charset.Finish();
  std::string decoded(g_mime_encoding_outlen(&state_->transfer, 0), '\0');
  decoded.resize(g_mime_encoding_flush(&state_->transfer, nullptr, 0, decoded.data()));
  return state_->charset.Add(decoded) + state_->charset.Finish();
}

bool ContainsText(std::string_view haystack, std::string_view needle) {
  return TextSearch(needle).Matches(haystack);
}

TextSearch::TextSearch(std::string_view needle) : folded_needle_(FoldUtf8(needle)) {}

bool TextSearch::Matches(std::string_view haystack) const {
  return MatchesFolded(FoldUtf8(haystack));
}

bool TextSearch::MatchesFolded(std::string_view folded) const {
  return folded_needle_.empty() || IsFoldedIn(folded, folded_needle_);
}

namespace {

GMimeContentEncoding TransferEncoding(const MimePart& part) {
  if (part.transfer_encoding == "base64") return GMIME_CONTENT_ENCODING_BASE64;
  if (part.transfer_encoding == "quoted-printable") return GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
  return GMIME_CONTENT_ENCODING_DEFAULT;
}

std::string_view FindCharset(const MimePart& part) {
  const auto found = std::ranges::find(part.parameters, "charset", &Parameters::value_type::first);
  return found == part.parameters.end() ? std::string_view() : std::string_view(found->second);
}

// memmem and not string_view::find: glibc's is linear, find is quadratic on a needle such as "aaaa...b".
bool IsFoldedIn(std::string_view folded_haystack, std::string_view folded_needle) {
  return memmem(folded_haystack.data(), folded_haystack.size(), folded_needle.data(), folded_needle.size()) != nullptr;
}

}  // namespace
}  // namespace mail
