#include "mail/parameters.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "mail/ascii.h"
#include "mail/charset.h"
#include "mail/lexer.h"

namespace mail {
namespace {

// How a parameter was written; of several forms of one name the lowest is taken.
enum class Form { kExtended, kContinued, kPlain };

// One parameter as it stands in the header.
struct Piece {
  std::string name;  // Without RFC 2231's marks.
  Form form = Form::kPlain;
  std::uint32_t section = 0;  // Of a continued one.
  bool is_encoded = false;    // Percent-encoded.
  std::size_t order = 0;
  std::string value;
};

std::string ReadValue(Lexer& lexer);
std::vector<Piece> ReadPieces(Lexer& lexer, std::size_t parameters_max);
// Splits RFC 2231's marks off the name: "title*1*".
void ReadMarks(Piece& piece);
// Joins pieces of one name and form, sorted by section, up to the first gap.
std::string Join(const Piece* first, const Piece* last);
std::string DecodePercent(std::string_view text);
std::string Clean(std::string text);

}  // namespace

ParameterizedValue ParseParameterized(std::string_view body, std::size_t parameters_max) {
  Lexer lexer(body);
  ParameterizedValue result;
  result.value = ReadValue(lexer);
  std::vector<Piece> pieces = ReadPieces(lexer, parameters_max);
  std::ranges::sort(pieces, {}, [](const Piece& piece) {
    return std::tuple<std::string_view, Form, std::uint32_t, std::size_t>(piece.name, piece.form, piece.section,
                                                                          piece.order);
  });
  std::vector<std::pair<std::size_t, std::size_t>> taken;  // Order in the header, index in the parameters.
  const Piece* const end = pieces.data() + pieces.size();
  for (const Piece* first = pieces.data(); first != end;) {
    const Piece* last = first;
    while (last != end && last->name == first->name && last->form == first->form) ++last;
    const bool is_known = !result.parameters.empty() && result.parameters.back().first == first->name;
    // Without its section 0 a continued parameter has no beginning; a plain one may follow.
    if (!is_known && first->section == 0) {
      taken.emplace_back(first->order, result.parameters.size());
      result.parameters.emplace_back(first->name, Join(first, last));
    }
    first = last;
  }
  std::ranges::sort(taken);
  Parameters ordered;
  for (const auto& [order, index] : taken) ordered.push_back(std::move(result.parameters[index]));
  result.parameters = std::move(ordered);
  return result;
}

bool IsMimeToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && !std::string_view("()<>@,;:\\\"/[]?=").contains(c);
  });
}

namespace {

// White space around the slash of a type is not allowed, but occurs.
std::string ReadValue(Lexer& lexer) {
  std::string value;
  for (;;) {
    lexer.SkipSpace();
    if (!value.empty() && !value.ends_with('/') && lexer.Peek() != '/') return value;
    const std::string_view word =
        lexer.TakeWhile([](char c) { return c != ';' && c != '(' && c != '\0' && !IsSpace(c); });
    if (word.empty()) return value;
    value.append(LowerAscii(word));
  }
}

std::vector<Piece> ReadPieces(Lexer& lexer, std::size_t parameters_max) {
  std::vector<Piece> pieces;
  while (!lexer.AtEnd() && pieces.size() < parameters_max) {
    lexer.TakeWhile([](char c) { return c != ';'; });
    lexer.Accept(';');
    lexer.SkipSpace();
    Piece piece;
    piece.name = LowerAscii(
        lexer.TakeWhile([](char c) { return c != '=' && c != ';' && c != '(' && c != '\0' && !IsSpace(c); }));
    lexer.SkipSpace();
    if (piece.name.empty() || !lexer.Accept('=')) continue;
    lexer.SkipSpace();
    // Unquoted values hold every byte but these in practice: boundaries with '=' and '/', file names with brackets.
    piece.value = lexer.Peek() == '"'
                      ? lexer.TakeQuoted()
                      : std::string(lexer.TakeWhile([](char c) { return c != ';' && c != '\0' && !IsSpace(c); }));
    piece.order = pieces.size();
    ReadMarks(piece);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

void ReadMarks(Piece& piece) {
  constexpr std::size_t kSectionDigitsMax = 6;
  const std::size_t star = piece.name.find('*');
  if (star == std::string::npos || star == 0) return;
  std::string_view marks = std::string_view(piece.name).substr(star + 1);
  if (marks.empty()) {
    piece.form = Form::kExtended;
    piece.is_encoded = true;
  } else {
    piece.is_encoded = marks.ends_with('*');
    if (piece.is_encoded) marks.remove_suffix(1);
    if (marks.empty() || marks.size() > kSectionDigitsMax || !std::ranges::all_of(marks, IsAsciiDigit)) {
      piece.is_encoded = false;
      return;  // An odd name, kept as it is.
    }
    piece.form = Form::kContinued;
    for (const char c : marks) piece.section = piece.section * 10 + static_cast<std::uint32_t>(c - '0');
  }
  piece.name.resize(star);
}

std::string Join(const Piece* first, const Piece* last) {
  std::string_view head = first->value;
  std::string charset;
  if (first->is_encoded) {
    // RFC 2231 §4: charset'language'value; only in the first section.
    const std::size_t charset_end = head.find('\'');
    const std::size_t language_end =
        charset_end == std::string_view::npos ? charset_end : head.find('\'', charset_end + 1);
    if (language_end != std::string_view::npos) {
      charset = head.substr(0, charset_end);
      head.remove_prefix(language_end + 1);
    }
  }
  std::string bytes = first->is_encoded ? DecodePercent(head) : std::string(head);
  if (first->form == Form::kContinued) {
    std::uint32_t section = 0;
    for (const Piece* piece = first + 1; piece != last; ++piece) {
      if (piece->section == section) continue;  // The same section again: the first counts.
      if (piece->section != section + 1) break;
      section = piece->section;
      bytes.append(piece->is_encoded ? DecodePercent(piece->value) : piece->value);
    }
  }
  return Clean(ToUtf8(bytes, charset));
}

int HexDigit(char c) {
  if (IsAsciiDigit(c)) return c - '0';
  const char lower = LowerAscii(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string DecodePercent(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_escape =
        text[at] == '%' && at + 2 < text.size() && HexDigit(text[at + 1]) >= 0 && HexDigit(text[at + 2]) >= 0;
    if (is_escape) {
      bytes.push_back(static_cast<char>(HexDigit(text[at + 1]) * 16 + HexDigit(text[at + 2])));
      at += 2;
    } else {
      bytes.push_back(text[at]);
    }
  }
  return bytes;
}

std::string Clean(std::string text) {
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return text;
}

}  // namespace
}  // namespace mail
