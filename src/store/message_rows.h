// The rows of messages as applies change them: counters, MODSEQ and the change index go together here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/changeset.h"
#include "store/entries.h"
#include "store/flags.h"

namespace store {

// The account's usage goes with the counters of its mailboxes.
//
// A mailbox that exists, during the apply of one entry.
struct OpenMailbox {
  replog::PartitionId partition;
  std::uint32_t id = 0;
  MailboxRow* row = nullptr;  // Never null.
};

// Gives the message the next UID and a new MODSEQ (`row` tells all else, and keeps the MODSEQ) and returns the UID.
// The caller has checked that there is a UID left, and adds the reference to the body.
std::uint32_t AddMessage(Changeset& changes, const OpenMailbox& mailbox, MessageRow& row);

// Gives a message new flags, at the mailbox's highest MODSEQ, which the caller has raised for this entry.
void PutFlags(Changeset& changes, const OpenMailbox& mailbox, std::uint32_t uid, MessageRow& row, ResolvedFlags flags);

// Takes the message's rows away. The caller drops the reference to the body and calls MarkExpunged.
void RemoveMessage(Changeset& changes, const OpenMailbox& mailbox, std::uint32_t uid, const MessageRow& row);

// One new MODSEQ for these UIDs, kept for ever: "MODSEQ for expunged mails too".
void MarkExpunged(Changeset& changes, const OpenMailbox& mailbox, const std::vector<std::uint32_t>& uids);

// A message row with the text that its prefix points into.
struct ReadMessageRow {
  std::string text;
  MessageRow row;
};
// False: no such message.
bool ReadMessage(Changeset& changes, const OpenMailbox& mailbox, std::uint32_t uid, ReadMessageRow& into);

std::vector<std::string> ReadKeywords(Changeset& changes, const OpenMailbox& mailbox);
// Positions of the keywords, new ones added to the mailbox. Empty: too many.
std::optional<std::vector<std::uint16_t>> AddKeywords(Changeset& changes, const OpenMailbox& mailbox,
                                                      const std::vector<std::string_view>& names);

// The row of a message that an entry brings, before it has a UID; its keywords are added to the mailbox. Error: too
// many of them.
base::Result<MessageRow> NewMessageRow(Changeset& changes, const OpenMailbox& mailbox, const EntryFlags& flags,
                                       std::int64_t date_us, const replog::BodyRef& body);

base::Error NoMailbox();
base::Error TooManyKeywords();

}  // namespace store
