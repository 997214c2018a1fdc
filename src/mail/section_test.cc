#include "mail/section.h"

#include <span>

#include <gtest/gtest.h>

namespace mail {
namespace {

// RFC 3501 §6.4.5's example in small: 1 text, 2 an enclosed multipart message, 3 a multipart with an enclosed plain
// one.
constexpr std::string_view kMessage =
    "Subject: outer\r\nFrom: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    "--o\r\nContent-Type: text/plain\r\n\r\none\r\n"
    "--o\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    "--i\r\nX: 21\r\n\r\ntwo-one\r\n--i\r\n\r\ntwo-two\r\n--i--\r\n"
    "--o\r\nContent-Type: multipart/mixed; boundary=n\r\n\r\n"
    "--n\r\nContent-Type: message/rfc822\r\n\r\nSubject: deep\r\nTo: c@d\r\n\r\nthree-one\r\n--n--\r\n"
    "--o--\r\n";

struct Row {
  std::string_view label;
  Section section;
  std::optional<std::string_view> bytes;
};

void Check(std::string_view message, std::span<const Row> rows) {
  const MimePart root = ScanMime(message);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.label);
    const auto found = FindSection(message, root, row.section);
    ASSERT_EQ(found.has_value(), row.bytes.has_value());
    if (found) EXPECT_EQ(found->In(message), *row.bytes);
  }
}

using enum SectionKind;

TEST(FindSection, FindsThePartsOfANestedMessage) {
  const Row rows[] = {
      {"[]", {}, kMessage},
      {"HEADER", {.kind = kHeader}, kMessage.substr(0, kMessage.find("--o"))},
      {"TEXT", {.kind = kText}, kMessage.substr(kMessage.find("--o"))},
      {"MIME", {.kind = kMime}, std::nullopt},
      {"1", {.path = {1}}, "one"},
      {"1.MIME", {.path = {1}, .kind = kMime}, "Content-Type: text/plain\r\n\r\n"},
      {"1.HEADER", {.path = {1}, .kind = kHeader}, std::nullopt},
      {"1.TEXT", {.path = {1}, .kind = kText}, std::nullopt},
      {"1.1", {.path = {1, 1}}, std::nullopt},
      {"2.HEADER",
       {.path = {2}, .kind = kHeader},
       "Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"},
      {"2.TEXT", {.path = {2}, .kind = kText}, "--i\r\nX: 21\r\n\r\ntwo-one\r\n--i\r\n\r\ntwo-two\r\n--i--"},
      {"2.MIME", {.path = {2}, .kind = kMime}, "Content-Type: message/rfc822\r\n\r\n"},
      {"2.1", {.path = {2, 1}}, "two-one"},
      {"2.1.MIME", {.path = {2, 1}, .kind = kMime}, "X: 21\r\n\r\n"},
      {"2.2", {.path = {2, 2}}, "two-two"},
      {"2.3", {.path = {2, 3}}, std::nullopt},
      {"3.1.HEADER", {.path = {3, 1}, .kind = kHeader}, "Subject: deep\r\nTo: c@d\r\n\r\n"},
      {"3.1.TEXT", {.path = {3, 1}, .kind = kText}, "three-one"},
      {"3.1.1", {.path = {3, 1, 1}}, "three-one"},
      {"3.1.1.1", {.path = {3, 1, 1, 1}}, std::nullopt},
      {"3.HEADER", {.path = {3}, .kind = kHeader}, std::nullopt},
      {"0", {.path = {0}}, std::nullopt},
      {"4", {.path = {4}}, std::nullopt},
      {"4294967295", {.path = {4294967295u}}, std::nullopt},
      {"HEADER.FIELDS", {.kind = kHeaderFields, .fields = {"SUBJECT", "to"}}, "Subject: outer\r\n\r\n"},
      {"HEADER.FIELDS none", {.kind = kHeaderFields, .fields = {"X"}}, "\r\n"},
      {"HEADER.FIELDS.NOT",
       {.kind = kHeaderFieldsNot, .fields = {"content-type"}},
       "Subject: outer\r\nFrom: a@b\r\n\r\n"},
      {"3.1.HEADER.FIELDS", {.path = {3, 1}, .kind = kHeaderFields, .fields = {"To"}}, "To: c@d\r\n\r\n"},
      {"1.HEADER.FIELDS", {.path = {1}, .kind = kHeaderFields, .fields = {"To"}}, std::nullopt},
  };
  Check(kMessage, rows);
}

TEST(FindSection, TakesTheBodyOfASinglePartMessageAsPartOne) {
  const Row rows[] = {
      {"1", {.path = {1}}, "body\r\n"},
      {"1.MIME", {.path = {1}, .kind = kMime}, "Subject: x\r\n folded\r\n\r\n"},
      {"2", {.path = {2}}, std::nullopt},
      {"1.1", {.path = {1, 1}}, std::nullopt},
      {"1.HEADER", {.path = {1}, .kind = kHeader}, std::nullopt},
      {"HEADER.FIELDS", {.kind = kHeaderFields, .fields = {"subject"}}, "Subject: x\r\n folded\r\n\r\n"},
  };
  Check("Subject: x\r\n folded\r\n\r\nbody\r\n", rows);
}

TEST(FindSection, DescendsIntoAMessageThatIsTheWholeBody) {
  const Row rows[] = {
      {"1", {.path = {1}}, "Subject: in\r\n\r\nbody"},
      {"1.HEADER", {.path = {1}, .kind = kHeader}, "Subject: in\r\n\r\n"},
      {"1.TEXT", {.path = {1}, .kind = kText}, "body"},
      {"1.1", {.path = {1, 1}}, "body"},
      {"TEXT", {.kind = kText}, "Subject: in\r\n\r\nbody"},
  };
  Check("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody", rows);
}

TEST(FindSection, KeepsLinesThatAreNoFieldsAmongTheOthers) {
  const Row rows[] = {
      {"FIELDS", {.kind = kHeaderFields, .fields = {"", "a"}}, "A: 1\n\r\n"},
      {"FIELDS.NOT", {.kind = kHeaderFieldsNot, .fields = {"a"}}, "rubbish\nB: 2\r\n\r\n"},
  };
  Check("rubbish\nA: 1\nB: 2", rows);
}

}  // namespace
}  // namespace mail
