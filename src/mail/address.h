// Mail addresses as SMTP carries them: RFC 5321 §4.1.2 Mailbox, with RFC 6531 (SMTPUTF8) where it is allowed.
//
// Pure functions of hostile bytes. Addresses inside header fields are looser; those are mail/address_list.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mail {

// What an address may look like, and how long it may be.
struct AddressSyntax {
  bool utf8 = false;             // RFC 6531: UTF-8 in the local part, U-labels in the domain.
  bool bare_postmaster = false;  // RFC 5321 §4.1.1.3: RCPT TO:<Postmaster> has no domain.
  bool underscores = false;      // In the domain: no host name has them, but senders do.
  // RFC 5321 §4.5.3.1.1 asks for at least 64, and §4.5.3.1 for no limit where that can be: senders that put the
  // recipient into their own address (VERP, SRS), and details of sub-addresses, are longer. Whoever refuses them loses
  // mail.
  std::size_t local_bytes_max = 254;
  std::size_t domain_bytes_max = 255;   // RFC 5321 §4.5.3.1.2.
  std::size_t mailbox_bytes_max = 254;  // RFC 5321 §4.5.3.1.3: a path of 256 with its angle brackets.
};

// A mailbox in one form: two texts that mean the same mailbox to SMTP parse to equal addresses.
struct Address {
  std::string local;  // Without quotes and backslashes; its case is kept (RFC 5321 §2.4).
  std::string
      domain;  // Lower-case A-labels, or "[192.0.2.1]" or "[IPv6:2001:db8::1]"; empty only for a bare postmaster.

  // Parses a whole text without angle brackets. Errors: kInvalid, with a sentence that fits into a 501 reply.
  static base::Result<Address> Parse(std::string_view text, const AddressSyntax& syntax = {});

  // The RFC 5321 form, quoted where the local part needs it.
  std::string ToString() const;

  // For look-up: as ToString(), with the local part in lower case (by Unicode's rules where it is not ASCII).
  std::string CanonicalKey() const;

  // Sub-addressing (RFC 5233): "user+detail". A delimiter at the first byte does not count.
  Address WithoutDetail(char delimiter) const;
  std::string_view Detail(char delimiter) const;

  // RFC 5321 §4.5.1, whatever the domain: whether the domain is ours is the caller's question.
  bool IsPostmaster() const;
  bool IsLiteral() const { return domain.starts_with('['); }

  friend bool operator==(const Address&, const Address&) = default;
};

// A domain name or address literal in the form `Address::domain` has. Used for the domains of the configuration too.
// Underscores are refused, as RFC 5321 does, unless the syntax takes them. Errors: kInvalid.
base::Result<std::string> CanonicalDomain(std::string_view domain, const AddressSyntax& syntax = {});

}  // namespace mail
