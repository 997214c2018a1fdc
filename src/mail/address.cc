#include "mail/address.h"

#include <array>
#include <cstring>

#include <arpa/inet.h>
#include <idn2.h>

#include "mail/ascii.h"
#include "mail/charset.h"

namespace mail {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr std::size_t kLabelBytesMax = 63;  // RFC 1035 §2.3.4.

// Reads the local part from the front of `text`, appends it to `local`, and returns how many bytes it took.
Result<std::size_t> ReadLocalPart(std::string_view text, const AddressSyntax& syntax, std::string& local);
Result<std::size_t> ReadQuotedLocalPart(std::string_view text, const AddressSyntax& syntax, std::string& local);
bool IsDotAtom(std::string_view local);
void AppendLocalPart(std::string_view local, std::string& out);
// RFC 5321 §4.1.2 Domain, all ASCII, in lower case already.
bool IsDomain(std::string_view domain, bool underscores);
Result<std::string> CanonicalLiteral(std::string_view literal);
Result<std::string> ToALabels(std::string_view domain);

Error Invalid(std::string_view sentence) {
  return Error(Errc::kInvalid, std::string(sentence));
}

}  // namespace

Result<Address> Address::Parse(std::string_view text, const AddressSyntax& syntax) {
  if (text.size() > syntax.mailbox_bytes_max) return Invalid("the address is too long");
  Address address;
  ASSIGN_OR_RETURN(const std::size_t local_size, ReadLocalPart(text, syntax, address.local));
  if (local_size > syntax.local_bytes_max) return Invalid("the local part of the address is too long");
  if (local_size == text.size()) {
    if (syntax.bare_postmaster && address.IsPostmaster()) return address;
    return Invalid("the address has no domain");
  }
  if (text[local_size] != '@') return Invalid("the local part has a character that needs quoting");
  ASSIGN_OR_RETURN(address.domain, CanonicalDomain(text.substr(local_size + 1), syntax));
  return address;
}

std::string Address::ToString() const {
  std::string text;
  text.reserve(local.size() + domain.size() + 3);
  AppendLocalPart(local, text);
  if (!domain.empty()) {
    text.push_back('@');
    text.append(domain);
  }
  return text;
}

std::string Address::CanonicalKey() const {
  std::string text;
  text.reserve(local.size() + domain.size() + 3);
  if (IsAscii(local)) {
    AppendLocalPart(local, text);
    for (char& c : text) c = LowerAscii(c);
  } else {
    AppendLocalPart(LowerUtf8(local), text);
  }
  if (!domain.empty()) {
    text.push_back('@');
    text.append(domain);
  }
  return text;
}

Address Address::WithoutDetail(char delimiter) const {
  const std::size_t at = local.find(delimiter, 1);
  return {.local = local.substr(0, at), .domain = domain};
}

std::string_view Address::Detail(char delimiter) const {
  const std::size_t at = local.find(delimiter, 1);
  return at == std::string::npos ? std::string_view() : std::string_view(local).substr(at + 1);
}

bool Address::IsPostmaster() const {
  return EqualsIgnoreCase(local, "postmaster");
}

Result<std::string> CanonicalDomain(std::string_view domain, const AddressSyntax& syntax) {
  if (domain.empty()) return Invalid("the domain is empty");
  if (domain.size() > syntax.domain_bytes_max) return Invalid("the domain is too long");
  if (domain.front() == '[') return CanonicalLiteral(domain);
  std::string canonical;
  if (IsAscii(domain)) {
    canonical = LowerAscii(domain);
  } else if (!syntax.utf8) {
    return Invalid("the domain has characters that are not ASCII, and SMTPUTF8 was not asked for");
  } else {
    ASSIGN_OR_RETURN(canonical, ToALabels(domain));
    if (canonical.size() > syntax.domain_bytes_max) return Invalid("the domain is too long");
  }
  if (!IsDomain(canonical, syntax.underscores)) return Invalid("the domain is not a valid name");
  return canonical;
}

namespace {

Result<std::size_t> ReadLocalPart(std::string_view text, const AddressSyntax& syntax, std::string& local) {
  if (text.starts_with('"')) return ReadQuotedLocalPart(text, syntax, local);
  std::size_t size = 0;
  bool has_high_bytes = false;
  while (size < text.size()) {
    const char c = text[size];
    if (IsHighByte(c)) {
      has_high_bytes = true;
    } else if (!IsAtext(c) && c != '.') {
      break;
    }
    ++size;
  }
  const std::string_view atom = text.substr(0, size);
  if (atom.empty()) return Invalid("the local part is empty");
  if (has_high_bytes && !syntax.utf8) {
    return Invalid("the local part has characters that are not ASCII, and SMTPUTF8 was not asked for");
  }
  if (has_high_bytes && !IsValidUtf8(atom)) return Invalid("the local part is not valid UTF-8");
  if (!IsDotAtom(atom)) return Invalid("the local part has a misplaced dot");
  local.assign(atom);
  return size;
}

// RFC 5321 §4.1.2 Quoted-string: no line breaks, no control characters.
Result<std::size_t> ReadQuotedLocalPart(std::string_view text, const AddressSyntax& syntax, std::string& local) {
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"') {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    const char c = text[at];
    const bool is_printable = c >= 0x20 && c <= 0x7e;
    if (!is_printable && !(IsHighByte(c) && syntax.utf8)) {
      return Invalid("the quoted local part has a character that is not allowed");
    }
    local.push_back(c);
    ++at;
  }
  if (at == text.size()) return Invalid("the quoted local part does not end");
  if (!IsValidUtf8(local)) return Invalid("the local part is not valid UTF-8");
  return at + 1;
}

bool IsDotAtom(std::string_view local) {
  if (local.empty() || local.front() == '.' || local.back() == '.') return false;
  char previous = '\0';
  for (const char c : local) {
    if (c == '.' && previous == '.') return false;
    if (c != '.' && !IsAtext(c) && !IsHighByte(c)) return false;
    previous = c;
  }
  return true;
}

void AppendLocalPart(std::string_view local, std::string& out) {
  if (IsDotAtom(local)) {
    out.append(local);
    return;
  }
  out.push_back('"');
  for (const char c : local) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

bool IsDomain(std::string_view domain, bool underscores) {
  std::size_t label_size = 0;
  char previous = '.';
  for (const char c : domain) {
    if (c == '.') {
      if (previous == '.' || previous == '-') return false;
      label_size = 0;
    } else {
      const bool is_plain = IsAsciiAlnum(c) || (c == '_' && underscores);
      if (!is_plain && (c != '-' || previous == '.')) return false;
      if (++label_size > kLabelBytesMax) return false;
    }
    previous = c;
  }
  return previous != '.' && previous != '-';
}

// RFC 5321 §4.1.3. The one registered tag is IPv6; a general literal cannot be delivered to.
Result<std::string> CanonicalLiteral(std::string_view literal) {
  constexpr std::string_view kIpv6Tag = "IPv6:";
  if (!literal.ends_with(']')) return Invalid("the address literal does not end");
  literal = literal.substr(1, literal.size() - 2);
  const bool is_ipv6 = StartsWithIgnoreCase(literal, kIpv6Tag);
  if (is_ipv6) literal.remove_prefix(kIpv6Tag.size());

  std::array<char, INET6_ADDRSTRLEN> text{};
  if (literal.size() >= text.size() || literal.contains('\0'))
    return Invalid("the address literal is not an IP address");
  std::memcpy(text.data(), literal.data(), literal.size());
  std::array<unsigned char, sizeof(in6_addr)> ip{};
  const int family = is_ipv6 ? AF_INET6 : AF_INET;
  if (inet_pton(family, text.data(), ip.data()) != 1) return Invalid("the address literal is not an IP address");
  if (inet_ntop(family, ip.data(), text.data(), text.size()) == nullptr) {
    return Invalid("the address literal is not an IP address");
  }
  std::string canonical(is_ipv6 ? "[IPv6:" : "[");
  canonical.append(text.data());
  canonical.push_back(']');
  return canonical;
}

// RFC 5891 with the mapping of UTS #46, so that case and width do not make two domains of one.
Result<std::string> ToALabels(std::string_view domain) {
  const std::string text(domain);
  if (text.contains('\0')) return Invalid("the domain is not a valid name");
  std::uint8_t* converted = nullptr;
  const int status = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(text.c_str()), &converted,
                                    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
  if (status != IDN2_OK) return Invalid("the domain is not a valid internationalised name");
  std::string labels = LowerAscii(reinterpret_cast<const char*>(converted));
  idn2_free(converted);
  return labels;
}

}  // namespace
}  // namespace mail
