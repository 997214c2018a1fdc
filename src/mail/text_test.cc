#include "mail/text.h"

#include <chrono>

#include <gtest/gtest.h>

#include "mail/charset.h"

namespace mail {
namespace {

TEST(DecodeHeaderText, DecodesEncodedWords) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {" plain text", "plain text"},
      {" folded\r\n text", "folded text"},
      {"=?utf-8?q?J=C3=B6rg?=", "J\xc3\xb6rg"},
      {"=?ISO-8859-1?Q?J=F6rg_B?= <j@x>", "J\xc3\xb6rg B <j@x>"},
      {"=?utf-8?B?SsO2cmc=?=", "J\xc3\xb6rg"},
      {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
      {"=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c"},
      {"=?utf-8*de?q?=C3=B6?=", "\xc3\xb6"},
      {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac"},
      {"raw \xc3\xb6", "raw \xc3\xb6"},
      {"raw \xf6", "raw \xc3\xb6"},
      {"=?utf-8?q?broken", "=?utf-8?q?broken"},
      {"", ""}};
  for (const auto& [raw, text] : rows) EXPECT_EQ(DecodeHeaderText(raw), text) << raw;
}

TEST(DecodeHeaderText, IsAlwaysValidUtf8) {
  for (const std::string_view raw :
       {"=?utf-8?q?=ff=fe?=", "=?nonsense?q?=ff?=", "=?utf-8?b?////?= \xff", "=?utf-16?b?2AA=?="}) {
    EXPECT_TRUE(IsValidUtf8(DecodeHeaderText(raw))) << raw;
  }
}

TEST(DecodeHeaderText, CutsLongFields) {
  EXPECT_EQ(DecodeHeaderText(std::string(1000, 'a'), {.header_bytes_max = 10}).size(), 10u);
}

struct PartRow {
  std::string_view label;
  std::string_view message;
  std::string_view text;
};

TEST(DecodePartText, UndoesTransferEncodingAndCharset) {
  const PartRow rows[] = {
      {"plain", "\r\nhello\r\n", "hello\r\n"},
      {"base64", "Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n", "hello"},
      {"base64 with rubbish", "Content-Transfer-Encoding: BASE64\r\n\r\naG!Vs*bG8=", "hello"},
      {"quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\na=\r\nb =3D=\r\n", "ab ="},
      {"bad quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=zz", "=zz"},
      {"Latin-1", "Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe9", "\xc3\xa9"},
      {"windows-1252", "Content-Type: text/plain; charset=\"Windows-1252\"\r\n\r\n\x80", "\xe2\x82\xac"},
      {"koi8-r", "Content-Type: text/plain; charset=koi8-r\r\n\r\n\xc1", "\xd0\xb0"},
      {"utf-8 broken",
       "Content-Type: text/plain; charset=utf-8\r\n\r\na\xff"
       "b",
       "a\xef\xbf\xbd"
       "b"},
      {"unknown charset", "Content-Type: text/plain; charset=nonsense\r\n\r\n\xe9", "\xc3\xa9"},
      {"hostile charset", "Content-Type: text/plain; charset=\"ibm-37,swaplfnl\"\r\n\r\n\xe9", "\xc3\xa9"},
      {"no charset, UTF-8", "\r\n\xc3\xa9", "\xc3\xa9"},
      {"no charset, Latin-1", "\r\n\xe9", "\xc3\xa9"},
      {"us-ascii that is not", "Content-Type: text/plain; charset=us-ascii\r\n\r\n\xe9", "\xc3\xa9"},
      {"base64 of UTF-16",
       "Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n6QBhAA==",
       "\xc3\xa9"
       "a"},
      {"unknown encoding", "Content-Transfer-Encoding: x-rot13\r\n\r\nuryyb", "uryyb"},
      {"empty", "Content-Transfer-Encoding: base64\r\n\r\n", ""},
  };
  for (const PartRow& row : rows) {
    SCOPED_TRACE(row.label);
    EXPECT_EQ(DecodePartText(row.message, ScanMime(row.message)), row.text);
  }
}

TEST(PartTextDecoder, GivesTheSameTextHoweverTheBodyIsCut) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"charset=utf-8", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xff \xe2\x82 \xf0\x9f\x98"},
      {"charset=iso-8859-1", "a\xe9z"},
      {"charset=utf-16le", std::string_view("a\0=\xd8\0\xde z", 8)},
      {"charset=iso-2022-jp", "a\x1b$BF|K\\\x1b(Bz"},
      {"charset=big5", "\xa4\xa4\xa4\xe5 \xa4"},
      {"charset=nonsense", "a\xc3\xa9\xe2\x82\xac"},
      {"charset=us-ascii", "\xc3\xa9\xe2\x82\xac end"},
      {"x=y\r\nContent-Transfer-Encoding: base64", "w6kg\r\n4oKs8J+YgA=="},
      {"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable", "=C3=A9=\r\n=E2=82=AC =3D\r\n=zz="},
  };
  for (const auto& [type, body] : rows) {
    const std::string message = "Content-Type: text/plain; " + std::string(type) + "\r\n\r\n" + std::string(body);
    const MimePart part = ScanMime(message);
    const std::string whole = DecodePartText(message, part);
    EXPECT_TRUE(IsValidUtf8(whole));
    for (std::size_t piece = 1; piece <= body.size(); ++piece) {
      PartTextDecoder decoder(part);
      std::string text;
      for (std::size_t at = 0; at < body.size(); at += piece) {
        const std::string next = decoder.Add(body.substr(at, piece));
        EXPECT_TRUE(IsValidUtf8(next)) << type << " in pieces of " << piece;
        text += next;
      }
      EXPECT_EQ(text + decoder.Finish(), whole) << type << " in pieces of " << piece;
    }
  }
}

TEST(PartTextDecoder, ReadsUnlabelledTextAsLatin1FromWhereItIsNoUtf8) {
  const MimePart part;
  PartTextDecoder decoder(part);
  EXPECT_EQ(decoder.Add("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(decoder.Add("\xe9 "), "\xc3\xa9 ");
  EXPECT_EQ(decoder.Add("\xc3\xa9"), "\xc3\x83\xc2\xa9");
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(DecodePartText, CutsLongParts) {
  const std::string message = "\r\n" + std::string(1000, 'a');
  EXPECT_EQ(DecodePartText(message, ScanMime(message), {.part_bytes_max = 10}).size(), 10u);
}

TEST(DecodePartText, HasNoTextForPartsWithChildren) {
  const std::string_view message = "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody";
  EXPECT_EQ(DecodePartText(message, ScanMime(message)), "");
}

TEST(ContainsText, IgnoresCaseInAllScripts) {
  struct Row {
    std::string_view haystack, needle;
    bool contains;
  };
  const Row rows[] = {
      {"Hello World", "WORLD", true},
      {"Hello World", "word", false},
      {"abc", "", true},
      {"", "", true},
      {"", "a", false},
      {"J\xc3\x96RG", "j\xc3\xb6rg", true},
      {"stra\xc3\x9f"
       "e",
       "STRASSE", true},
      {"\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82", true},  // ΟΔΟΣ, οδος with a final sigma.
      {"\xd0\x9f\xd0\xa0\xd0\x98", "\xd0\xbf\xd1\x80\xd0\xb8", true},
      {"J\xc3\x96RG", "jorg", false},
      {"\xe2\x84\xaa", "k", true},  // The Kelvin sign.
  };
  for (const Row& row : rows) EXPECT_EQ(ContainsText(row.haystack, row.needle), row.contains) << row.needle;
}

TEST(ContainsText, TakesBytesThatAreNotUtf8) {
  EXPECT_TRUE(ContainsText("abc \xff def", "DEF"));
  EXPECT_FALSE(ContainsText("abc", "\xff\xfe"));
}

TEST(ContainsText, IsLinearOnRepetitiveInput) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(ContainsText(std::string(4u << 20, 'a'), std::string(1u << 20, 'a') + "b"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(DecodeHeaderText, IsFastOnHostileInput) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view unit :
       {"=?", "=?utf-8?q?", "=?utf-8?q?a?=", "=?utf-8?b?YQ?= ", "=?a?q?\xff?= ", "=", "?=", "\xff"}) {
    std::string raw;
    while (raw.size() < (1u << 20)) raw.append(unit);
    EXPECT_TRUE(IsValidUtf8(DecodeHeaderText(raw)));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace mail
