// The rules in one table; what they make of real dialogues stands in client_extension_test.cc.
#include "smtp/client/send_plan.h"

#include <gtest/gtest.h>

namespace smtp {
namespace {

TEST(SendPlan, FollowsFromEnvelopeContentAndOffer) {
  const mail::Envelope ascii{.sender = "a@b.test", .recipients = {{.address = "c@d.test"}}};
  mail::Envelope utf8 = ascii;
  utf8.smtputf8 = true;
  const struct {
    std::string_view label;
    mail::Envelope envelope;
    ContentNeeds needs;
    Capabilities offered;
    std::string_view refusal;  // Its status; empty: offered.
    bool converts;
    bool says_8bit;
    bool says_smtputf8;
  } rows[] = {
      {"nothing needed", ascii, {}, {}, "", false, false, false},
      {"8-bit, offered", ascii, {.body_8bit = true}, {.eight_bit_mime = true}, "", false, true, false},
      {"8-bit, not offered", ascii, {.body_8bit = true}, {}, "", true, false, false},
      {"8-bit that stays", ascii, {.body_8bit = true, .obstacle = "x"}, {}, "5.6.3", true, false, false},
      {"8-bit that could not",
       ascii,
       {.body_8bit = true, .obstacle = "x"},
       {.eight_bit_mime = true},
       "",
       false,
       true,
       false},
      {"8-bit header, no SMTPUTF8 asked", ascii, {.header_8bit = true}, {}, "", false, false, false},
      {"8-bit header, SMTPUTF8 asked", utf8, {.header_8bit = true}, {}, "5.6.9", false, false, false},
      {"8-bit header, SMTPUTF8 offered", utf8, {.header_8bit = true}, {.smtputf8 = true}, "", false, false, true},
      {"as large as allowed", ascii, {.size_bytes = 10}, {.size = true, .size_bytes_max = 10}, "", false, false, false},
      {"larger", ascii, {.size_bytes = 11}, {.size = true, .size_bytes_max = 10}, "5.3.4", false, false, false},
      {"no limit", ascii, {.size_bytes = 11}, {.size = true}, "", false, false, false},
  };
  for (const auto& row : rows) {
    const SendPlan plan = PlanMail(row.envelope, {0}, row.needs, row.offered);
    EXPECT_EQ(plan.refused.empty() ? "" : plan.refused[0].status, row.refusal) << row.label;
    EXPECT_EQ(plan.recipients.size() + plan.refused.size(), 1u) << row.label;
    EXPECT_EQ(plan.converts, row.converts) << row.label;
    EXPECT_EQ(plan.parameters.body_8bit, row.says_8bit) << row.label;
    EXPECT_EQ(plan.parameters.smtputf8, row.says_smtputf8) << row.label;
  }
}

TEST(SendPlan, LooksIntoTheMailOnlyWhereItMatters) {
  mail::Envelope envelope;
  EXPECT_TRUE(MustInspect(envelope, {}));
  EXPECT_FALSE(MustInspect(envelope, {.eight_bit_mime = true}));
  envelope.smtputf8 = true;
  EXPECT_TRUE(MustInspect(envelope, {.eight_bit_mime = true}));
  EXPECT_FALSE(MustInspect(envelope, {.eight_bit_mime = true, .smtputf8 = true}));
}

}  // namespace
}  // namespace smtp
