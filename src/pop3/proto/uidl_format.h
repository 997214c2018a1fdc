// UidlFormat: how UIDs become the unique ids of POP3 (RFC 1939 §7), in the notation of Dovecot's pop3_uidl_format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pop3::proto {

// A value. Text with variables: %u the UID, %v the UIDVALIDITY, %% a percent sign. Between % and the letter may stand a
// width (filled with spaces, or with zeros when it starts with 0) and X for hexadecimal, in lower case as Dovecot has
// it:
// "%08Xu%08Xv" gives "0000000a4b3c2d1e".
class UidlFormat {
 public:
  static constexpr std::string_view kDefault = "%08Xu%08Xv";  // Dovecot's own default.

  UidlFormat();  // kDefault.
  // Errors: kInvalid (an unknown variable, no %u, or ids that would not be 1 to 70 characters from 0x21 to 0x7E).
  static base::Result<UidlFormat> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  // Whether mailboxes that were made anew have other ids: without that, clients take new mail for old.
  bool has_uid_validity() const;
  // Whether this is the id of some UID.
  bool Makes(std::uint32_t uid_validity, std::string_view id) const;
  std::string Format(std::uint32_t uid_validity, std::uint32_t uid) const;

 private:
  struct Part {
    std::string text;      // Before the variable.
    char variable = '\0';  // 'u', 'v', or none.
    std::uint32_t width = 0;
    bool is_zero_filled = false;
    bool is_hexadecimal = false;
  };
  static base::Result<Part> ParseVariable(std::string_view* rest);

  UidlFormat(std::string_view text, std::vector<Part> parts) : text_(text), parts_(std::move(parts)) {}

  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace pop3::proto
