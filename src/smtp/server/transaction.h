// Transaction: one mail between MAIL FROM and the answer to its last byte, as data. Pure but for the clock it is given.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "replog/types.h"
#include "smtp/proto/command.h"

namespace smtp {

// A recipient that was accepted: where the mail goes, and whose mailbox that is.
struct Accepted {
  mail::Recipient recipient;                     // Its address is what Delivered-To says.
  std::string account;                           // Canonical, without detail; empty: a mailbox elsewhere.
  std::optional<replog::PartitionId> partition;  // Of the account's mailbox.
  std::string alias{};                           // What the client said, when an alias stood between.
  std::string owner{};                           // Of that alias; see routing::Expansion::owner.

  bool is_local() const { return partition.has_value(); }
};

// An alias of several members whose sender wants to hear of success (RFC 3461 §5.2.7.3): he hears that it was expanded,
// and no more, since the members' own reports would tell who they are.
struct Expanded {
  std::string alias;
  std::string original;  // ORCPT as given.
};

class Transaction {
 public:
  Transaction(MailFrom from, std::string id) : from_(std::move(from)), id_(std::move(id)) {
    if (!from_.null_path) sender_ = from_.sender.ToString();
  }

  // Each RCPT counts, also one that names a mailbox again: store::MailStore::Deliver sees to one copy of the mail.
  void Add(Accepted accepted) { recipients_.push_back(std::move(accepted)); }
  void AddExpanded(Expanded expanded) { expanded_.push_back(std::move(expanded)); }
  const std::vector<Expanded>& expanded() const { return expanded_; }
  // For those that may come in more than one way: aliases, and mailboxes elsewhere, which nobody keeps from doubles.
  bool HasRecipient(std::string_view address) const {
    return std::ranges::any_of(recipients_, [&](const Accepted& a) { return a.recipient.address == address; });
  }

  // What the judge said; normal until then.
  mail::Class cls() const { return cls_; }
  void set_cls(mail::Class cls) { cls_ = cls; }

  // The one mailbox partition that all recipients lie in; nothing when one of them is elsewhere.
  std::optional<replog::PartitionId> CommonPartition() const {
    if (recipients_.empty()) return std::nullopt;
    for (const Accepted& other : recipients_) {
      if (other.partition != recipients_.front().partition) return std::nullopt;
    }
    return recipients_.front().partition;
  }

  // Who hears of it when the mail cannot be delivered: the owner of the alias that all recipients come from, if it has
  // one, else the sender. Nobody hears of mail that nobody is to hear of.
  const std::string& return_path() const {
    if (sender_.empty() || recipients_.empty() || recipients_.front().owner.empty()) return sender_;
    const std::string& owner = recipients_.front().owner;
    const bool is_shared = std::ranges::all_of(recipients_, [&](const Accepted& a) { return a.owner == owner; });
    return is_shared ? owner : sender_;
  }
  // The one address of ours that the mail came to, if some of it goes on to mailboxes elsewhere from there.
  std::string_view forwarded_from() const {
    if (recipients_.empty() || std::ranges::all_of(recipients_, &Accepted::is_local)) return {};
    const std::string& alias = recipients_.front().alias;
    const bool is_shared = std::ranges::all_of(recipients_, [&](const Accepted& a) { return a.alias == alias; });
    return is_shared ? std::string_view(alias) : std::string_view();
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
  std::vector<Expanded> expanded_;
};

}  // namespace smtp
