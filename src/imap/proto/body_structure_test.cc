#include "imap/proto/body_structure.h"

#include <gtest/gtest.h>

namespace imap {
namespace {

std::string Structure(std::string_view message, bool extended) {
  const mail::MimePart root = mail::ScanMime(message);
  std::string out;
  AppendBodyStructure(out, root, extended, [message](const mail::MimePart& part) {
    return mail::ParseEnvelopeFields(message.substr(part.header.offset, part.header.size));
  });
  return out;
}

TEST(Envelope, IsWrittenAsInTheExampleOfRfc3501) {
  const std::string_view header =
      "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
      "From: Terry Gray <gray@cac.washington.edu>\r\n"
      "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
      "To: imap@cac.washington.edu\r\n"
      "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
      "Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n";
  std::string out;
  AppendEnvelope(out, mail::ParseEnvelopeFields(header));
  EXPECT_EQ(out,
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
            "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
            "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
            "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
            "((NIL NIL \"imap\" \"cac.washington.edu\")) "
            "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
            "\"<B27397-0100000@cac.washington.edu>\")");
}

TEST(Envelope, OfNothingIsAllNil) {
  std::string out;
  AppendEnvelope(out, mail::EnvelopeFields());
  EXPECT_EQ(out, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
}

TEST(BodyStructure, OfPlainText) {
  const std::string_view message =
      "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\nContent-Transfer-Encoding: 7BIT\r\n\r\none\r\ntwo\r\n";
  EXPECT_EQ(Structure(message, false), R"(("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 10 2))");
  EXPECT_EQ(Structure(message, true), R"(("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 10 2 NIL NIL NIL NIL))");
}

TEST(BodyStructure, OfAMultipartWithAnAttachmentAndAnEnclosedMessage) {
  const std::string_view message =
      "Content-Type: multipart/mixed; boundary=b\r\nContent-Language: en\r\n\r\n"
      "--b\r\n\r\nhi\r\n"
      "--b\r\nContent-Type: image/png; name=\"x.png\"\r\nContent-Transfer-Encoding: base64\r\n"
      "Content-Disposition: attachment; filename=\"x.png\"\r\nContent-ID: <1>\r\nContent-MD5: q\r\n"
      "Content-Language: en, de\r\nContent-Location: http://x\r\nContent-Description: a picture\r\n\r\nAAAA\r\n"
      "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody\r\n"
      "--b--\r\n";
  EXPECT_EQ(Structure(message, true),
            R"((("text" "plain" NIL NIL NIL "7bit" 2 1 NIL NIL NIL NIL))"
            R"(("image" "png" ("name" "x.png") "<1>" "a picture" "base64" 4 "q" )"
            R"(("attachment" ("filename" "x.png")) ("en" "de") "http://x"))"
            R"(("message" "rfc822" NIL NIL NIL "7bit" 22 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) )"
            R"(("text" "plain" NIL NIL NIL "7bit" 4 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL))"
            R"( "mixed" ("boundary" "b") NIL ("en") NIL))");
  EXPECT_EQ(Structure(message, false),
            R"((("text" "plain" NIL NIL NIL "7bit" 2 1)("image" "png" ("name" "x.png") "<1>" "a picture" "base64" 4))"
            R"(("message" "rfc822" NIL NIL NIL "7bit" 22 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) )"
            R"(("text" "plain" NIL NIL NIL "7bit" 4 1) 3) "mixed"))");
}

TEST(BodyStructure, OfDegenerateParts) {
  const auto no_envelope = [](const mail::MimePart&) { return mail::EnvelopeFields(); };
  std::string out;
  AppendBodyStructure(out, mail::MimePart{.type = "multipart", .subtype = "mixed"}, false, no_envelope);
  EXPECT_EQ(out, R"((("text" "plain" NIL NIL NIL "7bit" 0 0) "mixed"))");
  out.clear();
  AppendBodyStructure(out, mail::MimePart{.type = "message", .subtype = "rfc822"}, false, no_envelope);
  EXPECT_EQ(out, R"(("application" "octet-stream" NIL NIL NIL "7bit" 0))");
}

}  // namespace
}  // namespace imap
