// The commands of IMAP4rev1 (RFC 3501 §6) with UIDPLUS (RFC 4315) and IDLE (RFC 2177), as values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "imap/proto/fetch_item.h"
#include "imap/proto/flags.h"
#include "imap/proto/search_key.h"
#include "imap/proto/sequence_set.h"

namespace imap {

// Mailbox names are UTF-8, "INBOX" in upper case.
struct Capability {};
struct Noop {};
struct Logout {};
struct StartTls {};
struct Authenticate {
  std::string mechanism;  // Upper case.
};
struct Login {
  std::string user;
  std::string password;
};
struct Select {
  std::string mailbox;
  bool read_only = false;  // EXAMINE.
};
struct Create {
  std::string mailbox;  // Without the trailing delimiter that announces children.
};
struct Delete {
  std::string mailbox;
};
struct Rename {
  std::string from;
  std::string to;
};
struct Subscribe {
  std::string mailbox;
  bool subscribe = true;  // False: UNSUBSCRIBE.
};
struct List {
  std::string reference;
  std::string pattern;
  bool subscribed_only = false;  // LSUB.
};
enum class StatusItem { kMessages, kRecent, kUidNext, kUidValidity, kUnseen };
struct Status {
  std::string mailbox;
  std::vector<StatusItem> items;
};
// The head of an APPEND; the message comes apart (CommandReader).
struct Append {
  std::string mailbox;
  FlagSet flags;
  std::optional<std::chrono::sys_seconds> date;
};
struct Check {};
struct Close {};
struct Expunge {
  std::optional<SequenceSet> uids;  // UID EXPUNGE.
};
enum class SearchCharset { kUsAscii, kUtf8, kUnknown };  // kUnknown is to be answered NO [BADCHARSET].
struct Search {
  SearchKey key;
  SearchCharset charset = SearchCharset::kUsAscii;
  bool uid = false;  // UID SEARCH: answered with UIDs.
};
struct Fetch {
  SequenceSet set;
  bool uid = false;  // `set` holds UIDs; UID is among the items then.
  std::vector<FetchItem> items;
};
struct Store {
  enum class Mode { kReplace, kAdd, kRemove };
  SequenceSet set;
  bool uid = false;
  Mode mode = Mode::kReplace;
  bool silent = false;
  FlagSet flags;
};
struct Copy {
  SequenceSet set;
  bool uid = false;
  std::string mailbox;
};
struct Idle {};
struct BadCommand {
  std::string text;  // For BAD.
};

using Command =
    std::variant<Capability, Noop, Logout, StartTls, Authenticate, Login, Select, Create, Delete, Rename, Subscribe,
                 List, Status, Append, Check, Close, Expunge, Search, Fetch, Store, Copy, Idle, BadCommand>;

struct TaggedCommand {
  std::string tag;  // "*" when there is none that could be sent back.
  Command command;
};

struct ParseLimits {
  std::size_t set_ranges_max = 10'000;
  std::size_t flags_max = 100;
  std::size_t keyword_bytes_max = 100;
  std::size_t fetch_items_max = 100;
  std::size_t header_fields_max = 200;
  std::size_t section_depth_max = 50;
  std::size_t search_keys_max = 1'000;
  std::size_t search_depth_max = 32;
};

// Parses one command as CommandReader delivers it. Never fails: what it cannot read becomes a BadCommand.
TaggedCommand ParseCommand(std::string_view text, const ParseLimits& limits = {});

// Parses AppendBegins::head to an Append or a BadCommand.
TaggedCommand ParseAppendHead(std::string_view head, const ParseLimits& limits = {});

// The line that ends an IDLE.
bool IsDone(std::string_view line);

}  // namespace imap
