// The commands of IMAP4rev1 (RFC 3501 §6), as values, with those of UIDPLUS (RFC 4315), IDLE (RFC 2177), MOVE (RFC
// 6851), UNSELECT (RFC 3691), NAMESPACE (RFC 2342), ID (RFC 2971), ENABLE (RFC 5161), SASL-IR (RFC 4959), CONDSTORE
// (RFC 7162), LIST-EXTENDED (RFC 5258) and QUOTA (RFC 9208).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  std::string mechanism;                 // Upper case.
  std::optional<std::string> initial{};  // The first answer, in base64; empty text when it was "=".
};
struct Login {
  std::string user;
  std::string password;
};
struct Select {
  std::string mailbox;
  bool read_only = false;  // EXAMINE.
  bool condstore = false;
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
  static constexpr std::uint8_t kSubscribed = 1, kSpecialUse = 2, kRecursiveMatch = 4;
  std::string reference{};
  std::vector<std::string> patterns{};  // At least one.
  bool lsub = false;
  bool extended = false;       // In a form of RFC 5258: an empty pattern asks for nothing special then.
  std::uint8_t selection = 0;  // Bits of the above.
  std::uint8_t returns = 0;    // Likewise.
};
enum class StatusItem {
  kMessages,
  kRecent,
  kUidNext,
  kUidValidity,
  kUnseen,
  kSize,
  kHighestModseq,
  kDeleted,
  kDeletedStorage,
};
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
struct Unselect {};
struct Expunge {
  std::optional<SequenceSet> uids;  // UID EXPUNGE.
};
// kConverted: the texts came in another one. kUnknown is to be answered NO [BADCHARSET].
enum class SearchCharset { kUsAscii, kUtf8, kConverted, kUnknown };
struct Search {
  SearchKey key;
  SearchCharset charset = SearchCharset::kUsAscii;
  bool uid = false;  // UID SEARCH: answered with UIDs.
};
struct Fetch {
  SequenceSet set;
  bool uid = false;  // `set` holds UIDs; UID is among the items then.
  std::vector<FetchItem> items;
  std::optional<std::uint64_t> changed_since{};  // MODSEQ is among the items then.
};
struct Store {
  enum class Mode { kReplace, kAdd, kRemove };
  SequenceSet set;
  bool uid = false;
  Mode mode = Mode::kReplace;
  bool silent = false;
  FlagSet flags;
  std::optional<std::uint64_t> unchanged_since{};
};
struct Copy {
  SequenceSet set;
  bool uid = false;
  std::string mailbox;
  bool move = false;  // MOVE.
};
struct Namespace {};
// What the client says of itself; names and values as they came.
struct ClientId {
  std::vector<std::pair<std::string, std::string>> fields;
};
struct Enable {
  std::vector<std::string> capabilities;  // Upper case.
};
struct GetQuota {
  std::string root;
};
struct GetQuotaRoot {
  std::string mailbox;
};
struct SetQuota {
  std::string root;
};
struct Idle {};
struct BadCommand {
  std::string text;  // For BAD.
};

using Command = std::variant<Capability, Noop, Logout, StartTls, Authenticate, Login, Select, Create, Delete, Rename,
                             Subscribe, List, Status, Append, Check, Close, Expunge, Search, Fetch, Store, Copy, Idle,
                             Unselect, Namespace, ClientId, Enable, GetQuota, GetQuotaRoot, SetQuota, BadCommand>;

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
  std::size_t list_patterns_max = 100;
  std::size_t enables_max = 50;
  std::size_t quota_resources_max = 20;
  std::size_t id_fields_max = 30;  // RFC 2971 §3.3, as the next two.
  std::size_t id_name_bytes_max = 30;
  std::size_t id_value_bytes_max = 1024;
};

// Parses one command as CommandReader delivers it. Never fails: what it cannot read becomes a BadCommand.
TaggedCommand ParseCommand(std::string_view text, const ParseLimits& limits = {});

// Parses AppendBegins::head to an Append or a BadCommand.
TaggedCommand ParseAppendHead(std::string_view head, const ParseLimits& limits = {});

// The line that ends an IDLE.
bool IsDone(std::string_view line);

}  // namespace imap
