#include "imap/proto/command.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "imap/proto/argument_parsers.h"
#include "imap/proto/command_reader.h"
#include "imap/proto/date_time.h"
#include "imap/proto/mailbox_name.h"

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;

Error Bad(std::string text) {
  return Error(Errc::kInvalid, std::move(text));
}

// Each reads what follows the command's name.
using ArgumentParser = Result<Command> (*)(Lexer& in, const ParseLimits& limits);

template <class T>
Result<Command> Plain(Lexer&, const ParseLimits&) {
  return Command(T{});
}

template <class T>
Result<Command> OneMailbox(Lexer& in, const ParseLimits&) {
  RETURN_IF_ERROR(in.Space());
  T command;
  ASSIGN_OR_RETURN(command.mailbox, ParseMailbox(in));
  return Command(std::move(command));
}

// RFC 7162 §3.1.8; other parameters belong to extensions that are not offered.
Result<Command> ParseSelect(Lexer& in, const ParseLimits& limits) {
  ASSIGN_OR_RETURN(Command command, OneMailbox<Select>(in, limits));
  if (!in.TakeText(" (")) return command;
  do {
    ASSIGN_OR_RETURN(const std::string parameter, in.Word());
    if (parameter != "CONDSTORE") return Bad("unknown SELECT parameter " + parameter.substr(0, 40));
  } while (in.Take(' '));
  RETURN_IF_ERROR(in.Expect(')'));
  std::get<Select>(command).condstore = true;
  return command;
}

Result<Command> ParseExamine(Lexer& in, const ParseLimits& limits) {
  ASSIGN_OR_RETURN(Command command, ParseSelect(in, limits));
  std::get<Select>(command).read_only = true;
  return command;
}

Result<Command> ParseUnsubscribe(Lexer& in, const ParseLimits& limits) {
  ASSIGN_OR_RETURN(Command command, OneMailbox<Subscribe>(in, limits));
  std::get<Subscribe>(command).subscribe = false;
  return command;
}

// RFC 3501 §6.3.3: a trailing delimiter only says that children will follow.
Result<Command> ParseCreate(Lexer& in, const ParseLimits& limits) {
  ASSIGN_OR_RETURN(Command command, OneMailbox<Create>(in, limits));
  std::string& name = std::get<Create>(command).mailbox;
  if (name.size() > 1 && name.ends_with(kHierarchyDelimiter)) name.pop_back();
  return command;
}

Result<Command> ParseAuthenticate(Lexer& in, const ParseLimits&) {
  RETURN_IF_ERROR(in.Space());
  Authenticate authenticate;
  ASSIGN_OR_RETURN(authenticate.mechanism, in.Word());
  if (in.AtEnd()) return Command(std::move(authenticate));
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(const std::string_view initial, in.Atom());  // RFC 4959 §3: "=" stands for no bytes at all.
  authenticate.initial = initial == "=" ? "" : initial;
  return Command(std::move(authenticate));
}

Result<Command> ParseLogin(Lexer& in, const ParseLimits&) {
  Login login;
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(login.user, in.AString());
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(login.password, in.AString());
  return Command(std::move(login));
}

Result<Command> ParseRename(Lexer& in, const ParseLimits&) {
  Rename rename;
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(rename.from, ParseMailbox(in));
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(rename.to, ParseMailbox(in));
  return Command(std::move(rename));
}

Result<StatusItem> ParseStatusItem(Lexer& in) {
  ASSIGN_OR_RETURN(const std::string name, in.Word());
  if (name == "MESSAGES") return StatusItem::kMessages;
  if (name == "RECENT") return StatusItem::kRecent;
  if (name == "UIDNEXT") return StatusItem::kUidNext;
  if (name == "UIDVALIDITY") return StatusItem::kUidValidity;
  if (name == "UNSEEN") return StatusItem::kUnseen;
  if (name == "SIZE") return StatusItem::kSize;
  if (name == "HIGHESTMODSEQ") return StatusItem::kHighestModseq;
  if (name == "DELETED") return StatusItem::kDeleted;
  if (name == "DELETED-STORAGE") return StatusItem::kDeletedStorage;
  return Bad("unknown STATUS item " + name.substr(0, 40));
}

Result<Command> ParseStatus(Lexer& in, const ParseLimits&) {
  Status status;
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(status.mailbox, ParseMailbox(in));
  RETURN_IF_ERROR(in.Space());
  RETURN_IF_ERROR(in.Expect('('));
  do {
    ASSIGN_OR_RETURN(const StatusItem item, ParseStatusItem(in));
    if (std::ranges::find(status.items, item) == status.items.end()) status.items.push_back(item);
  } while (in.Take(' '));
  RETURN_IF_ERROR(in.Expect(')'));
  return Command(std::move(status));
}

// A complete command that is an APPEND has no literal at its end.
Result<Command> RefuseAppendWithoutMessage(Lexer&, const ParseLimits&) {
  return Bad("APPEND needs the message as a literal: APPEND mailbox [(flags)] [\"date\"] {size}");
}

Result<Command> ParseExpunge(Lexer&, const ParseLimits&) {
  return Command(Expunge{});
}

Result<Command> ParseSearchCommand(Lexer& in, const ParseLimits& limits) {
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(Search search, ParseSearch(in, limits));
  return Command(std::move(search));
}

Result<SequenceSet> ParseSet(Lexer& in, const ParseLimits& limits) {
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(const std::string_view text, in.SetText());
  return SequenceSet::Parse(text, limits.set_ranges_max);
}

// "(CHANGEDSINCE 12345)" and the like, the name in upper case.
Result<std::uint64_t> ParseModifier(Lexer& in, std::string_view name) {
  RETURN_IF_ERROR(in.Expect('('));
  ASSIGN_OR_RETURN(const std::string word, in.Word());
  if (word != name) return Bad("unknown modifier " + word.substr(0, 40) + "; the only one is " + std::string(name));
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(const std::uint64_t modseq, in.ModSequence());
  RETURN_IF_ERROR(in.Expect(')'));
  return modseq;
}

// The first of the items when none of them is it.
void AddItem(FetchField wanted, std::vector<FetchItem>* items) {
  const auto is_it = [wanted](const FetchItem& item) {
    const auto* field = std::get_if<FetchField>(&item);
    return field != nullptr && *field == wanted;
  };
  if (std::ranges::none_of(*items, is_it)) items->insert(items->begin(), wanted);
}

Result<Command> ParseFetch(Lexer& in, const ParseLimits& limits) {
  Fetch fetch;
  ASSIGN_OR_RETURN(fetch.set, ParseSet(in, limits));
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(fetch.items, ParseFetchItems(in, limits));
  if (!in.Take(' ') || in.AtEnd()) return Command(std::move(fetch));
  ASSIGN_OR_RETURN(fetch.changed_since, ParseModifier(in, "CHANGEDSINCE"));
  AddItem(FetchField::kModseq, &fetch.items);  // RFC 7162 §3.1.4.1.
  return Command(std::move(fetch));
}

Result<Command> ParseStore(Lexer& in, const ParseLimits& limits) {
  Store store;
  ASSIGN_OR_RETURN(store.set, ParseSet(in, limits));
  RETURN_IF_ERROR(in.Space());
  if (in.Peek() == '(') {
    ASSIGN_OR_RETURN(store.unchanged_since, ParseModifier(in, "UNCHANGEDSINCE"));
    RETURN_IF_ERROR(in.Space());
  }
  if (in.Take('+')) {
    store.mode = Store::Mode::kAdd;
  } else if (in.Take('-')) {
    store.mode = Store::Mode::kRemove;
  }
  ASSIGN_OR_RETURN(const std::string name, in.Word());
  if (name != "FLAGS" && name != "FLAGS.SILENT")
    return Bad("STORE knows FLAGS, +FLAGS and -FLAGS, each with or without .SILENT");
  store.silent = name.ends_with(".SILENT");
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(store.flags, ParseFlagList(in, true, limits));
  return Command(std::move(store));
}

Result<Command> ParseCopy(Lexer& in, const ParseLimits& limits) {
  Copy copy;
  ASSIGN_OR_RETURN(copy.set, ParseSet(in, limits));
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(copy.mailbox, ParseMailbox(in));
  return Command(std::move(copy));
}

Result<Command> ParseMove(Lexer& in, const ParseLimits& limits) {
  ASSIGN_OR_RETURN(Command command, ParseCopy(in, limits));
  std::get<Copy>(command).move = true;
  return command;
}

// RFC 2971 §3.1: NIL, or names and values in turn.
Result<Command> ParseId(Lexer& in, const ParseLimits& limits) {
  ClientId id;
  RETURN_IF_ERROR(in.Space());
  if (in.TakeText("NIL")) return Command(std::move(id));
  RETURN_IF_ERROR(in.Expect('('));
  if (in.Take(')')) return Command(std::move(id));
  do {
    auto& [name, value] = id.fields.emplace_back();
    ASSIGN_OR_RETURN(name, in.String());
    RETURN_IF_ERROR(in.Space());
    if (!in.TakeText("NIL")) {
      ASSIGN_OR_RETURN(value, in.String());
    }
    if (id.fields.size() > limits.id_fields_max || name.size() > limits.id_name_bytes_max ||
        value.size() > limits.id_value_bytes_max) {
      return Bad(fmt::format("ID takes {} fields at most, names of {} bytes and values of {} bytes",
                             limits.id_fields_max, limits.id_name_bytes_max, limits.id_value_bytes_max));
    }
  } while (in.Take(' '));
  RETURN_IF_ERROR(in.Expect(')'));
  return Command(std::move(id));
}

Result<Command> ParseEnable(Lexer& in, const ParseLimits& limits) {
  Enable enable;
  RETURN_IF_ERROR(in.Space());
  do {
    ASSIGN_OR_RETURN(std::string name, in.Word());
    if (enable.capabilities.size() == limits.enables_max) {
      return Bad(fmt::format("at most {} capabilities may be enabled at once", limits.enables_max));
    }
    enable.capabilities.push_back(std::move(name));
  } while (in.Take(' '));
  return Command(std::move(enable));
}

Result<Command> ParseGetQuota(Lexer& in, const ParseLimits&) {
  RETURN_IF_ERROR(in.Space());
  GetQuota quota;
  ASSIGN_OR_RETURN(quota.root, in.AString());
  return Command(std::move(quota));
}

// RFC 9208 §4.1.3: resources and their limits, in parentheses. Nobody may set them, so they are only read.
Result<Command> ParseSetQuota(Lexer& in, const ParseLimits& limits) {
  RETURN_IF_ERROR(in.Space());
  SetQuota quota;
  ASSIGN_OR_RETURN(quota.root, in.AString());
  RETURN_IF_ERROR(in.Space());
  RETURN_IF_ERROR(in.Expect('('));
  if (in.Take(')')) return Command(std::move(quota));
  std::size_t count = 0;
  do {
    RETURN_IF_ERROR(in.Word());
    RETURN_IF_ERROR(in.Space());
    RETURN_IF_ERROR(in.ModSequence());  // A number63 as well.
    if (++count > limits.quota_resources_max) {
      return Bad(fmt::format("at most {} resources may be named at once", limits.quota_resources_max));
    }
  } while (in.Take(' '));
  RETURN_IF_ERROR(in.Expect(')'));
  return Command(std::move(quota));
}

// RFC 3501 §6.4.8 and RFC 4315 §2.1. A UID FETCH answers with the UID whether it was asked for or not.
Result<Command> ParseUid(Lexer& in, const ParseLimits& limits) {
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(const std::string name, in.Word());
  Command command;
  if (name == "FETCH") {
    ASSIGN_OR_RETURN(command, ParseFetch(in, limits));
    auto& fetch = std::get<Fetch>(command);
    fetch.uid = true;
    AddItem(FetchField::kUid, &fetch.items);
  } else if (name == "STORE") {
    ASSIGN_OR_RETURN(command, ParseStore(in, limits));
    std::get<Store>(command).uid = true;
  } else if (name == "COPY" || name == "MOVE") {
    ASSIGN_OR_RETURN(command, name == "COPY" ? ParseCopy(in, limits) : ParseMove(in, limits));
    std::get<Copy>(command).uid = true;
  } else if (name == "SEARCH") {
    ASSIGN_OR_RETURN(command, ParseSearchCommand(in, limits));
    std::get<Search>(command).uid = true;
  } else if (name == "EXPUNGE") {
    ASSIGN_OR_RETURN(SequenceSet uids, ParseSet(in, limits));
    command = Expunge{std::move(uids)};
  } else {
    return Bad("UID goes before FETCH, STORE, COPY, MOVE, SEARCH or EXPUNGE");
  }
  return command;
}

struct CommandName {
  std::string_view name;
  ArgumentParser parse;
};
constexpr std::array<CommandName, 34> kCommands = {{
    {"CAPABILITY", Plain<Capability>},
    {"NOOP", Plain<Noop>},
    {"LOGOUT", Plain<Logout>},
    {"STARTTLS", Plain<StartTls>},
    {"AUTHENTICATE", ParseAuthenticate},
    {"LOGIN", ParseLogin},
    {"SELECT", ParseSelect},
    {"EXAMINE", ParseExamine},
    {"CREATE", ParseCreate},
    {"DELETE", OneMailbox<Delete>},
    {"RENAME", ParseRename},
    {"SUBSCRIBE", OneMailbox<Subscribe>},
    {"UNSUBSCRIBE", ParseUnsubscribe},
    {"LIST", ParseList},
    {"LSUB", ParseLsub},
    {"STATUS", ParseStatus},
    {"APPEND", RefuseAppendWithoutMessage},
    {"CHECK", Plain<Check>},
    {"CLOSE", Plain<Close>},
    {"EXPUNGE", ParseExpunge},
    {"SEARCH", ParseSearchCommand},
    {"FETCH", ParseFetch},
    {"STORE", ParseStore},
    {"COPY", ParseCopy},
    {"UID", ParseUid},
    {"IDLE", Plain<Idle>},
    {"MOVE", ParseMove},
    {"UNSELECT", Plain<Unselect>},
    {"NAMESPACE", Plain<Namespace>},
    {"ID", ParseId},
    {"ENABLE", ParseEnable},
    {"GETQUOTA", ParseGetQuota},
    {"GETQUOTAROOT", OneMailbox<GetQuotaRoot>},
    {"SETQUOTA", ParseSetQuota},
}};

Result<Command> ParseAfterTag(Lexer& in, const ParseLimits& limits) {
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(const std::string name, in.Word());
  const auto known = std::ranges::find(kCommands, name, &CommandName::name);
  if (known == kCommands.end()) return Bad("unknown command " + name.substr(0, 40));
  ASSIGN_OR_RETURN(Command command, known->parse(in, limits));
  RETURN_IF_ERROR(in.End());
  return command;
}

Result<Command> ParseAppend(Lexer& in, const ParseLimits& limits) {
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(const std::string name, in.Word());
  if (name != "APPEND") return Bad("only APPEND takes a message");
  Append append;
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(append.mailbox, ParseMailbox(in));
  RETURN_IF_ERROR(in.Space());
  if (in.Peek() == '(') {
    ASSIGN_OR_RETURN(append.flags, ParseFlagList(in, false, limits));
    RETURN_IF_ERROR(in.Space());
  }
  if (in.Peek() == '"') {
    ASSIGN_OR_RETURN(const std::string date, in.String());
    ASSIGN_OR_RETURN(append.date, ParseDateTime(date));
    RETURN_IF_ERROR(in.Space());
  }
  RETURN_IF_ERROR(in.End());
  return Command(std::move(append));
}

TaggedCommand Parse(std::string_view text, const ParseLimits& limits, ArgumentParser parse) {
  Lexer in(text);
  base::Result<std::string> tag = in.Tag();
  if (!tag.has_value()) return {"*", BadCommand{tag.error().message()}};
  base::Result<Command> command = parse(in, limits);
  if (!command.has_value()) return {TagOf(text), BadCommand{command.error().message()}};
  return {*std::move(tag), *std::move(command)};
}

}  // namespace

TaggedCommand ParseCommand(std::string_view text, const ParseLimits& limits) {
  return Parse(text, limits, ParseAfterTag);
}

TaggedCommand ParseAppendHead(std::string_view head, const ParseLimits& limits) {
  return Parse(head, limits, ParseAppend);
}

bool IsDone(std::string_view line) {
  return EqualsIgnoreCase(line, "DONE");
}

Result<std::string> ParseMailbox(Lexer& in) {
  ASSIGN_OR_RETURN(const std::string wire, in.AString());
  return DecodeMailboxName(wire);
}

Result<FlagSet> ParseFlagList(Lexer& in, bool bare_allowed, const ParseLimits& limits) {
  const bool parentheses = in.Take('(');
  if (!parentheses && !bare_allowed) return Bad("flags stand in parentheses");
  FlagSet flags;
  if (parentheses && in.Take(')')) return flags;
  std::size_t count = 0;
  do {
    std::string name = in.Take('\\') ? "\\" : "";
    ASSIGN_OR_RETURN(const std::string_view atom, in.Atom());
    name += atom;
    if (++count > limits.flags_max) return Bad(fmt::format("at most {} flags may be named at once", limits.flags_max));
    if (name.size() > limits.keyword_bytes_max) {
      return Bad(fmt::format("a keyword may have at most {} bytes", limits.keyword_bytes_max));
    }
    RETURN_IF_ERROR(flags.Add(name));
  } while (in.Take(' '));
  if (parentheses) RETURN_IF_ERROR(in.Expect(')'));
  return flags;
}

}  // namespace imap
