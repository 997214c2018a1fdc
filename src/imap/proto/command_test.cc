#include "imap/proto/command.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "imap/proto/date_time.h"

namespace imap {
namespace {

std::string Flags(const FlagSet& flags) {
  std::string out;
  AppendFlags(out, flags, false);
  return out;
}

std::string Set(const SequenceSet& set) {
  std::string out;
  for (const NumberRange& range : set.Resolve(1000)) {
    out += fmt::format("{}{}-{}", out.empty() ? "" : ",", range.first, range.last);
  }
  return out;
}

std::string Day(std::chrono::sys_days day) {
  return std::to_string(day.time_since_epoch().count());
}

std::string DescribeKeys(const SearchKey& key, std::string_view separator);

// One key in a notation of this test's own: "and(flag 1, not(text0 'x'))".
std::string Describe(const SearchKey& key) {
  using Kind = SearchKey::Kind;
  switch (key.kind) {
    case Kind::kAnd:
      return "and(" + DescribeKeys(key, " ") + ")";
    case Kind::kOr:
      return "or(" + DescribeKeys(key, " ") + ")";
    case Kind::kNot:
      return "not(" + DescribeKeys(key, " ") + ")";
    case Kind::kSequence:
      return "seq:" + Set(key.set);
    case Kind::kUid:
      return "uid:" + Set(key.set);
    case Kind::kFlag:
      return "flag:" + std::to_string(key.flag);
    case Kind::kKeyword:
      return "keyword:" + key.text;
    case Kind::kRecent:
      return "recent";
    case Kind::kBefore:
      return "before:" + Day(key.date);
    case Kind::kOn:
      return "on:" + Day(key.date);
    case Kind::kSince:
      return "since:" + Day(key.date);
    case Kind::kSentBefore:
      return "sentbefore:" + Day(key.date);
    case Kind::kSentOn:
      return "senton:" + Day(key.date);
    case Kind::kSentSince:
      return "sentsince:" + Day(key.date);
    case Kind::kLarger:
      return "larger:" + std::to_string(key.number);
    case Kind::kSmaller:
      return "smaller:" + std::to_string(key.number);
    case Kind::kHeader:
      return "header:" + key.field + ":" + key.text;
    case Kind::kBody:
      return fmt::format("body{}:{}", key.text_index, key.text);
    case Kind::kText:
      return fmt::format("text{}:{}", key.text_index, key.text);
    case Kind::kModseq:
      return fmt::format("modseq:{}", key.modseq);
  }
  return "?";
}

std::string DescribeKeys(const SearchKey& key, std::string_view separator) {
  std::string out;
  for (const SearchKey& child : key.children) {
    if (!out.empty()) out += separator;
    out += Describe(child);
  }
  return out;
}

std::string Describe(const FetchItem& item) {
  if (const auto* field = std::get_if<FetchField>(&item)) {
    constexpr std::string_view kNames[] = {"body", "bodystructure", "envelope", "flags",
                                           "date", "size",          "uid",      "modseq"};
    return std::string(kNames[static_cast<std::size_t>(*field)]);
  }
  const auto& section = std::get<FetchSection>(item);
  std::string out = SectionLabel(section) + (section.peek ? "peek" : "");
  if (section.partial.has_value()) out += fmt::format("+{}", section.partial->size);
  return out;
}

struct Describer {
  std::string operator()(const Capability&) { return "capability"; }
  std::string operator()(const Noop&) { return "noop"; }
  std::string operator()(const Logout&) { return "logout"; }
  std::string operator()(const StartTls&) { return "starttls"; }
  std::string operator()(const Authenticate& c) {
    return "authenticate " + c.mechanism + (c.initial ? " '" + *c.initial + "'" : "");
  }
  std::string operator()(const Login& c) { return fmt::format("login '{}' '{}'", c.user, c.password); }
  std::string operator()(const Select& c) {
    return (c.read_only ? "examine " : "select ") + c.mailbox + (c.condstore ? " condstore" : "");
  }
  std::string operator()(const Create& c) { return "create " + c.mailbox; }
  std::string operator()(const Delete& c) { return "delete " + c.mailbox; }
  std::string operator()(const Rename& c) { return fmt::format("rename '{}' '{}'", c.from, c.to); }
  std::string operator()(const Subscribe& c) { return (c.subscribe ? "subscribe " : "unsubscribe ") + c.mailbox; }
  std::string operator()(const List& c) {
    std::string out = fmt::format("{} '{}'", c.lsub ? "lsub" : "list", c.reference);
    for (const std::string& pattern : c.patterns) out += " '" + pattern + "'";
    return out + (c.extended ? fmt::format(" {} {}", c.selection, c.returns) : "");
  }
  std::string operator()(const Status& c) {
    std::string out = "status '" + c.mailbox + "'";
    for (const StatusItem item : c.items) out += fmt::format(" {}", static_cast<int>(item));
    return out;
  }
  std::string operator()(const Append& c) {
    return fmt::format("append '{}' {} {}", c.mailbox, Flags(c.flags), c.date ? FormatDateTime(*c.date) : "now");
  }
  std::string operator()(const Check&) { return "check"; }
  std::string operator()(const Close&) { return "close"; }
  std::string operator()(const Unselect&) { return "unselect"; }
  std::string operator()(const Namespace&) { return "namespace"; }
  std::string operator()(const ClientId& c) {
    std::string out = "id";
    for (const auto& [name, value] : c.fields) out += fmt::format(" '{}'='{}'", name, value);
    return out;
  }
  std::string operator()(const Enable& c) {
    std::string out = "enable";
    for (const std::string& name : c.capabilities) out += " " + name;
    return out;
  }
  std::string operator()(const Expunge& c) { return c.uids ? "expunge " + Set(*c.uids) : "expunge"; }
  std::string operator()(const Search& c) {
    constexpr std::string_view kCharsets[] = {"", " utf-8", " converted", " unknown"};
    return fmt::format("{}search{} {}", c.uid ? "uid " : "", kCharsets[static_cast<std::size_t>(c.charset)],
                       DescribeKeys(c.key, " "));
  }
  std::string operator()(const Fetch& c) {
    std::string out = fmt::format("{}fetch {}:", c.uid ? "uid " : "", Set(c.set));
    for (const FetchItem& item : c.items) out += " " + Describe(item);
    return out + (c.changed_since ? fmt::format(" since {}", *c.changed_since) : "");
  }
  std::string operator()(const Store& c) {
    constexpr std::string_view kModes[] = {"=", "+", "-"};
    return fmt::format("{}store {} {}{}{}{}", c.uid ? "uid " : "", Set(c.set), kModes[static_cast<std::size_t>(c.mode)],
                       Flags(c.flags), c.silent ? " silent" : "",
                       c.unchanged_since ? fmt::format(" since {}", *c.unchanged_since) : "");
  }
  std::string operator()(const Copy& c) {
    return fmt::format("{}{} {} '{}'", c.uid ? "uid " : "", c.move ? "move" : "copy", Set(c.set), c.mailbox);
  }
  std::string operator()(const GetQuota& c) { return "getquota '" + c.root + "'"; }
  std::string operator()(const GetQuotaRoot& c) { return "getquotaroot '" + c.mailbox + "'"; }
  std::string operator()(const SetQuota& c) { return "setquota '" + c.root + "'"; }
  std::string operator()(const Idle&) { return "idle"; }
  std::string operator()(const BadCommand&) { return "bad"; }
};

std::string Describe(const Command& command) {
  return std::visit(Describer(), command);
}

struct Row {
  std::string_view text;
  std::string_view expected;
};

void ExpectAll(std::span<const Row> rows) {
  for (const Row& row : rows) {
    const TaggedCommand parsed = ParseCommand(row.text);
    const auto* bad = std::get_if<BadCommand>(&parsed.command);
    EXPECT_EQ(Describe(parsed.command), row.expected) << row.text << (bad != nullptr ? ": " + bad->text : "");
  }
}

TEST(Command, ReadsTheCommandsOfRfc3501) {
  const Row kRows[] = {
      {"abcd CAPABILITY", "capability"},
      {"a002 noop", "noop"},
      {"A023 LOGOUT", "logout"},
      {"a002 STARTTLS", "starttls"},
      {"A001 AUTHENTICATE plain", "authenticate PLAIN"},
      {"a001 LOGIN SMITH SESAME", "login 'SMITH' 'SESAME'"},
      {"a LOGIN \"a \\\"q\\\" \\\\\" \"\"", "login 'a \"q\" \\' ''"},
      {"a LOGIN {5}\r\nsm\r\nx {3}\r\n\"{)", "login 'sm\r\nx' '\"{)'"},
      {"a LOGIN a]b x", "login 'a]b' 'x'"},
      {"A142 SELECT INBOX", "select INBOX"},
      {"A142 SELECT \"inbox\"", "select INBOX"},
      {"A932 EXAMINE blurdybloop", "examine blurdybloop"},
      {"A003 CREATE owatagusiam/", "create owatagusiam"},
      {"A004 CREATE owatagusiam/blurdybloop", "create owatagusiam/blurdybloop"},
      {"A685 DELETE foo", "delete foo"},
      {"A684 RENAME INBOX old-mail", "rename 'INBOX' 'old-mail'"},
      {"A002 SUBSCRIBE #news.comp.mail.mime", "subscribe #news.comp.mail.mime"},
      {"A002 UNSUBSCRIBE &U,BTFw-", "unsubscribe 台北"},
      {"A101 LIST \"\" \"\"", "list '' ''"},
      {"A202 LIST ~/Mail/ %", "list '~/Mail/' '%'"},
      {"A202 LIST \"\" *", "list '' '*'"},
      {"A003 LSUB \"#news.\" \"comp.mail.*\"", "lsub '#news.' 'comp.mail.*'"},
      {"A042 STATUS blurdybloop (UIDNEXT MESSAGES)", "status 'blurdybloop' 2 0"},
      {"a STATUS x (RECENT UNSEEN UIDVALIDITY UNSEEN)", "status 'x' 1 4 3"},
      {"FXXZ CHECK", "check"},
      {"A341 CLOSE", "close"},
      {"A202 EXPUNGE", "expunge"},
      {"A101 UID EXPUNGE 3000:3002", "expunge 3000-3002"},
      {"A003 COPY 2:4 MEETING", "copy 2-4 'MEETING'"},
      {"A003 UID COPY 304,319:320 MEETING", "uid copy 304-304,319-320 'MEETING'"},
      {"A002 IDLE", "idle"},
      {"a NOOP  ", "noop"},
  };
  ExpectAll(kRows);
}

TEST(Command, ReadsFetchItems) {
  const Row kRows[] = {
      {"A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])", "fetch 2-4: flags BODY[HEADER.FIELDS (DATE FROM)]"},
      {"A999 UID FETCH 4827313:4828442 FLAGS", "uid fetch 4827313-4828442: uid flags"},
      {"a UID FETCH 1 (UID FLAGS)", "uid fetch 1-1: uid flags"},
      {"a FETCH 1 ALL", "fetch 1-1: flags date size envelope"},
      {"a FETCH 1 fast", "fetch 1-1: flags date size"},
      {"a FETCH 1 FULL", "fetch 1-1: flags date size envelope body"},
      {"a FETCH 1 BODY", "fetch 1-1: body"},
      {"a FETCH 1 BODYSTRUCTURE", "fetch 1-1: bodystructure"},
      {"a FETCH * BODY[]", "fetch 1000-1000: BODY[]"},
      {"a FETCH 1 body.peek[]<0.2048>", "fetch 1-1: BODY[]<0>peek+2048"},
      {"a FETCH 1 BODY[4.2.2.1]", "fetch 1-1: BODY[4.2.2.1]"},
      {"a FETCH 1 BODY[4.2.mime]", "fetch 1-1: BODY[4.2.MIME]"},
      {"a FETCH 1 BODY[4.HEADER]", "fetch 1-1: BODY[4.HEADER]"},
      {"a FETCH 1 BODY[TEXT]<5.1>", "fetch 1-1: BODY[TEXT]<5>+1"},
      {"a FETCH 1 BODY[3.header.fields.not (\"X Y\" Z)]", "fetch 1-1: BODY[3.HEADER.FIELDS.NOT (\"X Y\" Z)]"},
      {"a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE INTERNALDATE)",
       "fetch 1-1: RFC822 RFC822.HEADERpeek RFC822.TEXT size date"},
      {"a FETCH 1 ()", "bad"},
      {"a FETCH 1 (ALL)", "bad"},
      {"a FETCH 1 ALLX", "bad"},
      {"a FETCH 1 BODY[MIME]", "bad"},
      {"a FETCH 1 BODY[1.]", "bad"},
      {"a FETCH 1 BODY[0]", "bad"},
      {"a FETCH 1 BODY[HEADER.FIELDS]", "bad"},
      {"a FETCH 1 BODY[HEADER.FIELDS ()]", "bad"},
      {"a FETCH 1 BODY[TEXT", "bad"},
      {"a FETCH 1 BODY[TEXT]<0.0>", "bad"},
      {"a FETCH 1 BODY[TEXT]<1>", "bad"},
      {"a FETCH 1 BODY.PEEK", "bad"},
      {"a FETCH 1 BODYSTRUCTURE[]", "bad"},
      {"a FETCH 1 FLAGS FLAGS", "bad"},
      {"a FETCH 0 FLAGS", "bad"},
      {"a FETCH 1", "bad"},
      {"a FETCH", "bad"},
  };
  ExpectAll(kRows);
}

TEST(Command, ReadsStore) {
  const Row kRows[] = {
      {"A003 STORE 2:4 +FLAGS (\\Deleted)", "store 2-4 +(\\Deleted)"},
      {"a STORE 1 FLAGS ()", "store 1-1 =()"},
      {"a STORE 1 -flags.silent \\seen $Junk", "store 1-1 -(\\Seen $Junk) silent"},
      {"a UID STORE 1:* FLAGS (\\Seen work Work \\Recent)", "uid store 1-1000 =(\\Seen work)"},
      {"a STORE 1 FLAGS (\\Nonsense)", "bad"},
      {"a STORE 1 FLAGS", "bad"},
      {"a STORE 1 *FLAGS (\\Seen)", "bad"},
      {"a STORE 1 FLAGS (\\Seen", "bad"},
      {"a STORE 1 FLAGS (a*)", "bad"},
  };
  ExpectAll(kRows);
}

TEST(Command, ReadsSearchAsATree) {
  const Row kRows[] = {
      {"A282 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"", "search flag:4 since:8797 not(header:FROM:Smith)"},
      {"A283 SEARCH TEXT \"string not in mailbox\"", "search text0:string not in mailbox"},
      {"A284 SEARCH CHARSET UTF-8 TEXT {6}\r\nXXXXXX", "search utf-8 text0:XXXXXX"},
      {"a SEARCH ALL", "search and()"},
      {"a SEARCH charset nonsense all", "search unknown and()"},
      {"a SEARCH charset iso-8859-1 or text {1}\r\n\xe9 subject {1}\r\n\xfc",
       "search converted or(text0:\xc3\xa9 header:SUBJECT:\xc3\xbc)"},
      {"a SEARCH charset \"iso-2022-jp\" body \"\x1b$B$\"\x1b(B\"", "bad"},
      {"a SEARCH charset shift_jis body {2}\r\n\x82\xa0", "search converted body0:\xe3\x81\x82"},
      {"a SEARCH MODSEQ 620162338 SEEN", "search modseq:620162338 flag:1"},
      {"a SEARCH OR NOT MODSEQ \"/flags/\\\\draft\" all 5 LARGER 1", "search or(not(modseq:5) larger:1)"},
      {"a SEARCH MODSEQ", "bad"},
      {"a SEARCH MODSEQ x", "bad"},
      {"a SEARCH MODSEQ \"/flags/x\" some 5", "bad"},
      {"a SEARCH charset us-ascii all", "search and()"},
      {"a UID SEARCH UID 1:3,7 4", "uid search uid:1-3,7-7 seq:4-4"},
      {"a SEARCH OR BODY x OR TEXT y BODY z", "search or(body0:x or(text1:y body2:z))"},
      {"a SEARCH (SEEN (DRAFT)) UNSEEN", "search and(flag:1 and(flag:16)) not(flag:1)"},
      {"a SEARCH NEW OLD RECENT", "search and(recent not(flag:1)) not(recent) recent"},
      {"a SEARCH KEYWORD a UNKEYWORD b", "search keyword:a not(keyword:b)"},
      {"a SEARCH HEADER X-Spam \"\"", "search header:X-Spam:"},
      {"a SEARCH LARGER 100 SMALLER 0", "search larger:100 smaller:0"},
      {"a SEARCH SENTON \"1-Jan-1970\" ON 2-Jan-1970 BEFORE 3-Jan-1970", "search senton:0 on:1 before:2"},
      {"a SEARCH UNANSWERED DELETED UNDRAFT SUBJECT x ", "search not(flag:2) flag:8 not(flag:16) header:SUBJECT:x"},
      {"a SEARCH", "bad"},
      {"a SEARCH ", "bad"},
      {"a SEARCH ()", "bad"},
      {"a SEARCH (ALL", "bad"},
      {"a SEARCH ALL)", "bad"},
      {"a SEARCH OR ALL", "bad"},
      {"a SEARCH NOT", "bad"},
      {"a SEARCH NONSENSE", "bad"},
      {"a SEARCH ON 30-Feb-2000", "bad"},
      {"a SEARCH CHARSET UTF-8", "bad"},
  };
  ExpectAll(kRows);
}

TEST(Command, ReadsTheExtensions) {
  const Row kRows[] = {
      {"a MOVE 2:4 Trash", "move 2-4 'Trash'"},
      {"a uid move 42:69 foo", "uid move 42-69 'foo'"},
      {"a UNSELECT", "unselect"},
      {"a NAMESPACE", "namespace"},
      {"a ID NIL", "id"},
      {"a ID ()", "id"},
      {"a ID (\"name\" \"Thunderbird\" \"version\" NIL)", "id 'name'='Thunderbird' 'version'=''"},
      {"a ENABLE condstore X-GOOD-IDEA", "enable CONDSTORE X-GOOD-IDEA"},
      {"a AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=", "authenticate PLAIN 'dGVzdAB0ZXN0AHRlc3Q='"},
      {"a AUTHENTICATE EXTERNAL =", "authenticate EXTERNAL ''"},
      {"a SELECT INBOX (CONDSTORE)", "select INBOX condstore"},
      {"a EXAMINE x (condstore condstore)", "examine x condstore"},
      {"a STATUS x (SIZE HIGHESTMODSEQ)", "status 'x' 5 6"},
      {"a STATUS x (DELETED DELETED-STORAGE)", "status 'x' 7 8"},
      {"a GETQUOTA \"\"", "getquota ''"},
      {"a GETQUOTA #user/alice", "getquota '#user/alice'"},
      {"a GETQUOTAROOT inbox", "getquotaroot 'INBOX'"},
      {"a SETQUOTA \"\" (STORAGE 512 MESSAGE 9223372036854775807)", "setquota ''"},
      {"a SETQUOTA x ()", "setquota 'x'"},
      {"a FETCH 1 MODSEQ", "fetch 1-1: modseq"},
      {"a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)", "uid fetch 1-1000: uid modseq flags since 12345"},
      {"a FETCH 1 (MODSEQ FLAGS) (changedsince 9223372036854775807)",
       "fetch 1-1: modseq flags since 9223372036854775807"},
      {"a STORE 7,9 (UNCHANGEDSINCE 0) +FLAGS.SILENT \\Seen", "store 7-7,9-9 +(\\Seen) silent since 0"},
      {"a LIST (SPECIAL-USE) \"\" %", "list '' '%' 2 0"},
      {"a LIST \"\" * RETURN (special-use children)", "list '' '*' 0 2"},
      {"a LIST (SUBSCRIBED RECURSIVEMATCH REMOTE) \"\" (a/% \"b *\") RETURN ()", "list '' 'a/%' 'b *' 5 0"},
      {"a LIST () \"\" \"\" RETURN (SUBSCRIBED)", "list '' '' 0 1"},
      {"a MOVE 1", "bad"},
      {"a UNSELECT x", "bad"},
      {"a ID", "bad"},
      {"a ID (\"name\")", "bad"},
      {"a ID (\"name\" x)", "bad"},
      {"a ID (\"a name that is far longer than thirty bytes\" \"x\")", "bad"},
      {"a GETQUOTA", "bad"},
      {"a GETQUOTAROOT", "bad"},
      {"a GETQUOTA a b", "bad"},
      {"a SETQUOTA x", "bad"},
      {"a SETQUOTA x (STORAGE)", "bad"},
      {"a SETQUOTA x (STORAGE -1)", "bad"},
      {"a SETQUOTA x (STORAGE 9223372036854775808)", "bad"},
      {"a SETQUOTA x (STORAGE 1", "bad"},
      {"a ENABLE", "bad"},
      {"a ENABLE ", "bad"},
      {"a AUTHENTICATE PLAIN a b", "bad"},
      {"a SELECT INBOX (QRESYNC (1 2))", "bad"},
      {"a SELECT INBOX ()", "bad"},
      {"a FETCH 1 FLAGS (CHANGEDSINCE)", "bad"},
      {"a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)", "bad"},
      {"a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "bad"},
      {"a STORE 1 (UNCHANGEDSINCE x) FLAGS ()", "bad"},
      {"a LIST (RECURSIVEMATCH) \"\" *", "bad"},
      {"a LIST (NONSENSE) \"\" *", "bad"},
      {"a LIST \"\" ()", "bad"},
      {"a LIST \"\" * RETURN", "bad"},
      {"a LIST \"\" * RETURN (STATUS (MESSAGES))", "bad"},
      {"a LSUB (SUBSCRIBED) \"\" *", "bad"},
  };
  ExpectAll(kRows);
}

TEST(Command, RefusesWhatIsNoCommand) {
  const Row kRows[] = {
      {"", "bad"},
      {"a", "bad"},
      {"a ", "bad"},
      {" NOOP", "bad"},
      {"+ NOOP", "bad"},
      {"a  NOOP", "bad"},
      {"a NOOP x", "bad"},
      {"a NONSENSE", "bad"},
      {"a UID NOOP", "bad"},
      {"a LOGIN x", "bad"},
      {"a LOGIN \"x y", "bad"},
      {"a LOGIN \"a\\n\" x", "bad"},
      {"a LOGIN {9}\r\nx y", "bad"},
      {"a LOGIN {-1}\r\nx y", "bad"},
      {std::string_view("a LOGIN {1}\r\n\0 y", 16), "bad"},
      {"a SELECT", "bad"},
      {"a SELECT \"a\xc3\xbc\"", "bad"},
      {"a SELECT &", "bad"},
      {"a STATUS x ()", "bad"},
      {"a STATUS x (NONSENSE)", "bad"},
      {"a LIST \"\"", "bad"},
      {"a APPEND INBOX ", "bad"},
      {"a AUTHENTICATE", "bad"},
      {"a UID EXPUNGE", "bad"},
  };
  ExpectAll(kRows);
}

TEST(Command, KeepsTheTagOfABadCommand) {
  EXPECT_EQ(ParseCommand("abc NONSENSE").tag, "abc");
  EXPECT_EQ(ParseCommand("a(b NOOP").tag, "*");
  EXPECT_EQ(ParseCommand("").tag, "*");
}

TEST(Command, ReadsTheHeadOfAnAppend) {
  const Row kRows[] = {
      {"A003 APPEND saved-messages (\\Seen) ", "append 'saved-messages' (\\Seen) now"},
      {"a APPEND INBOX ", "append 'INBOX' () now"},
      {"a append inbox () \"17-Jul-1996 02:44:25 -0700\" ", "append 'INBOX' () \"17-Jul-1996 09:44:25 +0000\""},
      {"a APPEND {5}\r\nx y z ", "append 'x y z' () now"},
      {"a APPEND INBOX \"tomorrow\" ", "bad"},
      {"a APPEND INBOX (\\Seen ", "bad"},
      {"a APPEND INBOX x ", "bad"},
      {"a APPEND INBOX", "bad"},
      {"a NOOP ", "bad"},
  };
  for (const Row& row : kRows) EXPECT_EQ(Describe(ParseAppendHead(row.text).command), row.expected) << row.text;
}

TEST(Command, LimitsDepthAndCounts) {
  const ParseLimits limits{.set_ranges_max = 2,
                           .flags_max = 2,
                           .keyword_bytes_max = 5,
                           .fetch_items_max = 2,
                           .header_fields_max = 2,
                           .section_depth_max = 2,
                           .search_keys_max = 9,
                           .search_depth_max = 3,
                           .list_patterns_max = 2,
                           .enables_max = 2,
                           .id_fields_max = 1};
  const Row kRows[] = {
      {"a FETCH 1,2 (FLAGS UID)", "fetch 1-2: flags uid"},
      {"a FETCH 1,2,3 FLAGS", "bad"},
      {"a FETCH 1 (FLAGS UID BODY)", "bad"},
      {"a FETCH 1 BODY[1.2]", "fetch 1-1: BODY[1.2]"},
      {"a FETCH 1 BODY[1.2.3]", "bad"},
      {"a FETCH 1 BODY[HEADER.FIELDS (a b c)]", "bad"},
      {"a STORE 1 FLAGS (a b)", "store 1-1 =(a b)"},
      {"a STORE 1 FLAGS (a b c)", "bad"},
      {"a STORE 1 FLAGS (abcdef)", "bad"},
      {"a LIST \"\" (a b)", "list '' 'a' 'b' 0 0"},
      {"a LIST \"\" (a b c)", "bad"},
      {"a ENABLE a b c", "bad"},
      {"a ID (\"a\" \"b\" \"c\" \"d\")", "bad"},
      {"a SEARCH NOT NOT NOT ALL", "search not(not(not(and())))"},
      {"a SEARCH NOT NOT NOT NOT ALL", "bad"},
      {"a SEARCH ((((ALL))))", "bad"},
      {"a SEARCH 1 1 1 1 1 1 1 1 1 1", "bad"},
  };
  for (const Row& row : kRows) EXPECT_EQ(Describe(ParseCommand(row.text, limits).command), row.expected) << row.text;
}

TEST(IsDone, IsTheWordInAnyCase) {
  EXPECT_TRUE(IsDone("DONE"));
  EXPECT_TRUE(IsDone("done"));
  EXPECT_FALSE(IsDone("a DONE"));
}

}  // namespace
}  // namespace imap
