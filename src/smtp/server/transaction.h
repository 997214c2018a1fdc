// Transaction: one mail between MAIL FROM and the answer to its last byte, as data. Pure but for the clock it is given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mail/envelope.h"
#include "replog/types.h"
#include "smtp/proto/command.h"

namespace smtp {

// A recipient that was accepted: what the client said and whose mailbox that is.
struct Accepted {
  mail::Recipient recipient;  // As given; its address is what Delivered-To says.
  std::string account;        // Canonical, without detail.
  replog::PartitionId partition;
};

class Transaction {
 public:
  Transaction(MailFrom from, std::string id) : from_(std::move(from)), id_(std::move(id)) {
    if (!from_.null_path) sender_ = from_.sender.ToString();
  }

  // Each RCPT counts, also one that names a mailbox again: store::MailStore::Deliver sees to one copy of the mail.
  void Add(Accepted accepted) { recipients_.push_back(std::move(accepted)); }

  // What the judge said; normal until then.
  mail::Class cls() const { return cls_; }
  void set_cls(mail::Class cls) { cls_ = cls; }

  // The one mailbox partition that all recipients lie in.
  std::optional<replog::PartitionId> CommonPartition() const {
    if (recipients_.empty()) return std::nullopt;
    for (const Accepted& other : recipients_) {
      if (other.partition != recipients_.front().partition) return std::nullopt;
    }
    return recipients_.front().partition;
  }

  const MailFrom& from() const { return from_; }
  const std::string& sender() const { return sender_; }  // Empty for <>.
  const std::string& id() const { return id_; }
  const std::vector<Accepted>& recipients() const { return recipients_; }

 private:
  MailFrom from_;
  std::string id_;
  std::string sender_;
  mail::Class cls_ = mail::Class::kNormal;
  std::vector<Accepted> recipients_;
};

}  // namespace smtp
