#include "mail/envelope_fields.h"

#include <array>

#include "mail/ascii.h"
#include "mail/header.h"

namespace mail {
namespace {

struct TextRow {
  std::string_view name;
  std::optional<std::string> EnvelopeFields::* text;
};
struct ListRow {
  std::string_view name;
  std::vector<ListedAddress> EnvelopeFields::* list;
};

constexpr std::array<TextRow, 4> kTexts = {{{"date", &EnvelopeFields::date},
                                            {"subject", &EnvelopeFields::subject},
                                            {"in-reply-to", &EnvelopeFields::in_reply_to},
                                            {"message-id", &EnvelopeFields::message_id}}};
constexpr std::array<ListRow, 6> kLists = {{{"from", &EnvelopeFields::from},
                                            {"sender", &EnvelopeFields::sender},
                                            {"reply-to", &EnvelopeFields::reply_to},
                                            {"to", &EnvelopeFields::to},
                                            {"cc", &EnvelopeFields::cc},
                                            {"bcc", &EnvelopeFields::bcc}}};

void AppendAddresses(std::string_view body, std::size_t addresses_max, std::vector<ListedAddress>& list);

}  // namespace

EnvelopeFields ParseEnvelopeFields(std::string_view header, const EnvelopeLimits& limits) {
  EnvelopeFields fields;
  HeaderReader reader(header);
  while (const auto field = reader.Next()) {
    for (const TextRow& row : kTexts) {
      if (!EqualsIgnoreCase(field->name, row.name)) continue;
      auto& text = fields.*row.text;
      if (!text) text = Unfold(field->body);
    }
    for (const ListRow& row : kLists) {
      if (EqualsIgnoreCase(field->name, row.name)) {
        AppendAddresses(field->body, limits.addresses_max, fields.*row.list);
      }
    }
  }
  if (fields.sender.empty()) fields.sender = fields.from;
  if (fields.reply_to.empty()) fields.reply_to = fields.from;
  return fields;
}

namespace {

void AppendAddresses(std::string_view body, std::size_t addresses_max, std::vector<ListedAddress>& list) {
  if (list.size() >= addresses_max) return;
  for (ListedAddress& address : ParseAddressList(body, addresses_max - list.size())) list.push_back(std::move(address));
}

}  // namespace
}  // namespace mail
