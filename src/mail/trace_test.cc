#include "mail/trace.h"

#include <gtest/gtest.h>

#include "mail/header.h"

namespace mail {
namespace {

const base::WallTime kTime(std::chrono::seconds(1'700'000'000));

TEST(MakeReceived, WritesAllClauses) {
  const Trace trace{.helo = "client.example",
                    .client_name = "host.client.example",
                    .client_ip = "192.0.2.1",
                    .by = "mx.example.test",
                    .protocol = "ESMTPS",
                    .id = "17-2a",
                    .recipient = "bob@example.test",
                    .tls_version = "TLSv1.3",
                    .tls_cipher = "TLS_AES_256_GCM_SHA384",
                    .time = kTime};
  EXPECT_EQ(MakeReceived(trace),
            "Received: from client.example (host.client.example [192.0.2.1])\r\n"
            "\tby mx.example.test with ESMTPS id 17-2a for <bob@example.test>\r\n"
            "\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3);\r\n"
            "\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
}

TEST(MakeReceived, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(MakeReceived({.by = "mx.example.test", .time = kTime}),
            "Received: by mx.example.test;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
  EXPECT_EQ(MakeReceived({.client_ip = "2001:db8::1", .by = "mx", .protocol = "SMTP", .time = kTime}),
            "Received: from unknown ([IPv6:2001:db8::1]) by mx with SMTP;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
}

TEST(MakeReceived, StaysOneFieldWhateverTheClientSays) {
  const std::string hostile[] = {"x\r\nSubject: forged", "a) by evil.example (b", "a;b",   "\xff\xfe", "a\nb\tc",
                                 std::string("a\0b", 3), std::string(5000, 'a'),  "(((((", "\"",       "\\"};
  for (const std::string& text : hostile) {
    const std::string received = MakeReceived({.helo = text,
                                               .client_name = text,
                                               .client_ip = "192.0.2.1",
                                               .by = "mx",
                                               .protocol = text,
                                               .id = text,
                                               .recipient = text,
                                               .tls_version = text,
                                               .tls_cipher = text,
                                               .time = kTime});
    HeaderReader reader(received);
    const auto field = reader.Next();
    ASSERT_TRUE(field.has_value());
    EXPECT_EQ(field->name, "Received");
    EXPECT_EQ(field->raw, received);
    EXPECT_EQ(received.find("\n\n"), std::string::npos);
    EXPECT_EQ(received.find("\r\n\r\n"), std::string::npos);
    EXPECT_EQ(received.find('\0'), std::string::npos);
    for (std::size_t at = 0; at < received.size();) {
      const std::size_t newline = received.find('\n', at);
      EXPECT_LE(newline - at, 998u);
      at = newline + 1;
    }
  }
}

TEST(MakeReceived, MakesAHostileHeloSafe) {
  const std::string received =
      MakeReceived({.helo = "a) by evil.example (b", .client_ip = "192.0.2.1", .by = "mx", .time = kTime});
  EXPECT_TRUE(received.starts_with("Received: from a??by?evil.example??b ([192.0.2.1]) by mx;")) << received;
}

TEST(DeliveryPrefix, NamesSenderAndRecipient) {
  EXPECT_EQ(DeliveryPrefix("alice@example.test", "bob@example.test"),
            "Return-Path: <alice@example.test>\r\nDelivered-To: bob@example.test\r\n");
  EXPECT_EQ(DeliveryPrefix("", "bob@example.test"), "Return-Path: <>\r\nDelivered-To: bob@example.test\r\n");
  EXPECT_EQ(DeliveryPrefix("a\r\nX: y", "b\n"), "Return-Path: <a??X: y>\r\nDelivered-To: b?\r\n");
}

}  // namespace
}  // namespace mail
