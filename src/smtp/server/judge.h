// Judge: says of a mail how soon it goes, before its bytes come. Where the filter's steps at the connection and the
// envelope stand; it never decides whether a mail lives.
#pragma once

#include <string_view>

#include "mail/class.h"
#include "smtp/server/transaction.h"

namespace smtp {

// What is known before the bytes; all of it holds during the call only.
struct Arrival {
  std::string_view client_ip;
  std::string_view helo;
  std::string_view account;  // Authenticated as; empty: not.
  const Transaction& transaction;
};

// Thread: the sessions' shard; answers at once, without I/O. Every answer is right: a mail of any class is kept.
class Judge {
 public:
  virtual ~Judge() = default;
  // Asked once a mail, when its recipients are known.
  virtual mail::Class ClassOf(const Arrival& arrival) = 0;
};

// Knows nothing for or against anybody.
class ImpartialJudge final : public Judge {
 public:
  mail::Class ClassOf(const Arrival&) override { return mail::Class::kNormal; }
};

}  // namespace smtp
