#include "smtp/proto/capabilities.h"

#include <gtest/gtest.h>

namespace smtp {
namespace {

TEST(Capabilities, AreReadFromTheReplyToEhlo) {
  const struct {
    std::vector<std::string> lines;
    Capabilities expected;
  } rows[] = {
      {{}, {}},
      {{"PIPELINING"}, {}},  // The first line is a greeting, whatever it says.
      {{"mx", "PIPELINING"}, {.pipelining = true}},
      {{"mx", "pipelining", "8BitMIME ", "SmtpUtf8", "dsn", "STARTTLS", "ENHANCEDSTATUSCODES", "CHUNKING"},
       {.pipelining = true,
        .eight_bit_mime = true,
        .smtputf8 = true,
        .dsn = true,
        .starttls = true,
        .enhanced_status = true,
        .chunking = true}},
      {{"mx", "SIZE"}, {.size = true}},
      {{"mx", "SIZE 0"}, {.size = true}},
      {{"mx", "SIZE 1000"}, {.size = true, .size_bytes_max = 1000}},
      {{"mx", "SIZE  1000 x"}, {.size = true, .size_bytes_max = 1000}},
      {{"mx", "SIZE 10x"}, {.size = true}},
      {{"mx", "SIZE -1"}, {.size = true}},
      {{"mx", "SIZE 99999999999999999999999"}, {.size = true}},
      {{"mx", "AUTH PLAIN LOGIN CRAM-MD5"}, {.auth_plain = true, .auth_login = true}},
      {{"mx", "auth\tlogin"}, {.auth_login = true}},
      {{"mx", "AUTH=PLAIN"}, {.auth_plain = true}},
      {{"mx", "AUTH"}, {}},
      {{"mx", "PIPELININGS", "X-PIPELINING", "", " ", "\xff\xff"}, {}},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(ReadCapabilities(row.lines), row.expected) << (row.lines.empty() ? "" : row.lines.back());
  }
}

TEST(ServerName, IsTheFirstWordWhereItLooksLikeOne) {
  EXPECT_EQ(ReadServerName("mx.example.test ESMTP Postfix"), "mx.example.test");
  EXPECT_EQ(ReadServerName("[192.0.2.1] hello"), "[192.0.2.1]");
  EXPECT_EQ(ReadServerName(" \tmx"), "mx");
  EXPECT_EQ(ReadServerName(""), "");
  EXPECT_EQ(ReadServerName("<script> x"), "");
  EXPECT_EQ(ReadServerName("\x1b[31m"), "");
  EXPECT_EQ(ReadServerName(std::string(256, 'a')), "");
}

}  // namespace
}  // namespace smtp
