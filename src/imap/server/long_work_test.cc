// A session that computes for long lets the others of its shard have their turns: the longest step is measured.
#include <ctime>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/random.h"
#include "imap/server/testing.h"

namespace imap {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// Twice the 5 ms that are aimed at, for machines that are slow.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POSTHORN_SLOW_BUILD 1
#endif
#endif
#ifdef POSTHORN_SLOW_BUILD
constexpr std::chrono::microseconds kStepMax = 100ms;
#else
constexpr std::chrono::microseconds kStepMax = 10ms;
#endif

// Of the processor, so that other programs on the machine do not count.
std::chrono::nanoseconds ProcessorTime() {
  timespec now{};
  EXPECT_EQ(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

struct Answer {
  std::string text;
  std::chrono::nanoseconds longest_step{};
};

// The last bytes up to the tagged reply. It looks at no more, since the client's work is done by the same thread.
async::Task<std::string> ReadToTag(net::Connection* connection) {
  std::string piece(64u << 10, '\0');
  std::string end;
  for (;;) {
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) co_return end + "<closed>";
    const std::size_t last = std::min<std::size_t>(*size, 200);
    end.append(piece, *size - last, last);
    end.erase(0, end.size() - std::min<std::size_t>(end.size(), 200));
    if (end.ends_with("\r\n") && (end.starts_with("long ") || end.contains("\nlong "))) co_return end;
  }
}

// What the shard's thread does between two looks at its queue is one step: nobody else is served meanwhile.
Answer DoMeasuredOnce(TestBed& bed, TestClient& client, std::string_view command) {
  Answer answer;
  client.Send(fmt::format("long {}\r\n", command));
  asio::io_context& context = bed.node().context();
  std::optional<std::string> text;
  asio::co_spawn(context, ReadToTag(&client.connection()),
                 [&text](const std::exception_ptr&, std::string got) { text = std::move(got); });
  context.restart();
  while (!text.has_value()) {
    const auto began = ProcessorTime();
    context.run_one();
    answer.longest_step = std::max(answer.longest_step, ProcessorTime() - began);
  }
  answer.text = *std::move(text);
  return answer;
}

// The host of a virtual machine may take the processor away, and that counts as the thread's time: a step that is too
// long in itself is too long each time.
Answer DoMeasured(TestBed& bed, TestClient& client, std::string_view command) {
  Answer answer = DoMeasuredOnce(bed, client, command);
  for (int again = 0; again < 2 && answer.longest_step >= kStepMax; ++again) {
    const Answer other = DoMeasuredOnce(bed, client, command);
    answer.longest_step = std::min(answer.longest_step, other.longest_step);
  }
  return answer;
}

void Print(std::string_view label, std::string_view command, const Answer& answer) {
  const std::chrono::duration<double, std::milli> longest = answer.longest_step;
  fmt::print("longest step {:6.2f} ms: {}: {:.50}\n", longest.count(), label, command);
}

std::string Repeat(std::string_view unit, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text.append(unit);
  return text;
}

std::string Mail(std::string_view header, std::string_view body) {
  return fmt::format("Subject: s\r\n{}\r\n{}", header, body);
}

TEST(LongWork, IsCutIntoSmallSteps) {
  const std::string utf8 = Repeat(
      "Gr\xc3\xbc\xc3\x9f"
      "e aus \xe6\x97\xa5\xe6\x9c\xac, lauter W\xc3\xb6rter\r\n",
      6u << 20);
  const std::string encoded = base::EncodeBase64(Repeat("\xe9t\xe9 ", 3u << 20));
  const std::pair<std::string_view, std::string> mails[] = {
      {"large text", Mail("Content-Type: text/plain; charset=utf-8\r\n", utf8)},
      {"base64 of Latin-1",
       Mail("Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n", encoded)},
      {"short lines", Mail("Content-Type: multipart/mixed; boundary=b\r\n", Repeat("--\n", 5u << 20))},
      {"many parts", Mail("Content-Type: multipart/mixed; boundary=b\r\n", Repeat("--b\r\n\r\n", 200u << 10))},
      {"enclosed messages",
       Mail("Content-Type: multipart/digest; boundary=b\r\n",
            Repeat("--b\r\n\r\nFrom: a@b.c, d@e.f\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\r\nx\r\n", 200u << 10))},
      {"a large header", Mail(Repeat("X-Words: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n", 900u << 10), "x\r\n")},
      {"a large field", Mail("X-Words: " + Repeat("=?utf-8?q?Gr=C3=BC=C3=9Fe?= \r\n ", 900u << 10) + "x\r\n", "x\r\n")},
      {"many addresses",
       Mail("To: " + Repeat("\"A B\" <a@example.test>,\r\n ", 900u << 10) + "z@example.test\r\n", "x\r\n")},
      {"many parameters",
       Mail("Content-Type: text/plain;" + Repeat(" a*1*=utf-8'x;\r\n", 900u << 10) + " b=c\r\n", "x\r\n")},
  };
  std::string either = "SEARCH";  // Every text is looked for in every mail.
  for (int i = 0; i < 200; ++i) either += fmt::format(" OR TEXT nowhere{} HEADER X-Words nowhere{}", i, i);
  either += " ALL";
  for (const auto& [label, mail] : mails) {
    TestBed bed;
    TestClient& client = bed.ConnectAndSelect();
    ASSERT_THAT(client.Append("INBOX", mail), HasSubstr("t OK")) << label;
    client.Do("NOOP");
    for (const std::string& command :
         {std::string("SEARCH BODY nowhere"), std::string("SEARCH TEXT nowhere"), either,
          std::string("SEARCH HEADER X-Words nowhere SUBJECT nowhere"), std::string("FETCH 1 (ENVELOPE)"),
          std::string("FETCH 1 (BODYSTRUCTURE)"), std::string("FETCH 1 (BODY.PEEK[1])"),
          std::string("FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject)])"), std::string("FETCH 1 (BODY.PEEK[])")}) {
      const Answer answer = DoMeasured(bed, client, command);
      EXPECT_THAT(answer.text, HasSubstr("long OK"));
      EXPECT_LT(answer.longest_step, kStepMax) << label << ": " << command.substr(0, 60);
      Print(label, command, answer);
    }
  }
}

TEST(LongWork, OverManyMailsIsCutBetweenThem) {
  TestBed bed;
  TestClient& client = bed.ConnectAndSelect();
  const std::string body = Repeat("Nothing to be found in this line.\r\n", 60u << 10);
  for (int i = 0; i < 100; ++i) ASSERT_THAT(client.Append("INBOX", Mail("X-A: b\r\n", body)), HasSubstr("t OK"));
  client.Do("NOOP");
  for (const std::string_view command :
       {"SEARCH BODY nowhere", "FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)", "FETCH 1:* (BODY[])", "UID SEARCH ALL",
        "STORE 1:* +FLAGS (\\Flagged)", "COPY 1:* INBOX"}) {
    const Answer answer = DoMeasured(bed, client, command);
    EXPECT_THAT(answer.text, HasSubstr("long OK")) << command;
    EXPECT_LT(answer.longest_step, kStepMax) << command;
    Print("100 mails", command, answer);
  }
}

// A text is found wherever it lies in a large part, also across the pieces in which the part is read.
TEST(LongWork, ASearchFindsTextAnywhereInALargePart) {
  TestBed bed;
  TestClient& client = bed.ConnectAndSelect();
  for (const std::size_t at :
       {std::size_t{65'530}, std::size_t{65'536}, std::size_t{131'070}, std::size_t{5'000'000}}) {
    std::string body(5'100'000, 'x');
    for (std::size_t line = 76; line < body.size(); line += 78) body.replace(line, 2, "\r\n");
    body.replace(at, 14,
                 "N\xc3\x89"
                 "EDLE-needl\xc3\xa9");
    ASSERT_THAT(client.Append("INBOX", "Content-Type: text/plain; charset=utf-8\r\n\r\n" + body), HasSubstr("t OK"));
  }
  client.Do("NOOP");
  EXPECT_THAT(client.Do("SEARCH BODY {20+}\r\nn\xc3\xa9"
                        "edle-NEEDL\xc3\x89"
                        "xxxxx"),
              HasSubstr("* SEARCH 1 2 3 4\r\n"));
  EXPECT_THAT(client.Do("SEARCH TEXT needlz"), HasSubstr("* SEARCH\r\n"));
}

}  // namespace
}  // namespace imap
